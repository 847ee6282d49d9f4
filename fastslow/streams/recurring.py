"""Tasks that come back at power-law intervals, as tasks do in natural environments.

Gandhi, Shah, Marupudi and Varma, "Natural Mitigation of Catastrophic Interference: Continual
Learning in Power-Law Learning Environments", arXiv 2401.10393: the probability of meeting a task
falls as a power law of the time since it was last met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastslow import seeds, types
from fastslow.streams import errors, plans, schedule

Build = Callable[..., types.Stream]  # fastslow.streams.build


def over(build: Build) -> Callable[..., schedule.ScheduledStream]:
    """Return the stream factory that decorates streams made by `build`."""

    def stream(
        stream: str = "evals_short",
        exponent: float = 1.5,
        longest: int = 16,
        one_offs: int = 1,
        lessons_per_task: int = 4,
        examples_per_lesson: int = 48,
        evaluate_every: str = "task",
        seed: int = 0,
        order_seed: int = 0,
        **options: Any,
    ) -> schedule.ScheduledStream:
        """Tasks of another stream (`recurring:NAME`), each met again at power-law intervals.

        Of the inner `stream`, made with the other `options`, only the tasks and the order in which
        they are first taught count; see `plan` for the rest. `one_offs` tasks, drawn from `seed`,
        but never all, are taught in one lesson only, the others in `lessons_per_task`. In
        `recurring:conflicting` the one-off may be either convention, also the reversal; with
        `one_offs=0` both come back. Raises StreamError and what the inner stream raises.
        """
        schedule.check_counts(lessons_per_task=lessons_per_task, longest=longest)
        inner = build(stream, options, seed=seed, order_seed=order_seed)
        taught = [e.task_name for e in inner.events() if isinstance(e, types.Lesson)]
        names = tuple(dict.fromkeys(taught))
        if one_offs < 0:
            raise errors.StreamError(f"one_offs must not be negative, got {one_offs}")
        drawn = sorted(names, key=lambda name: seeds.derive(seed, "one-off", name))
        once = drawn[: min(one_offs, len(names) - 1)]
        lessons = dict.fromkeys(names, lessons_per_task) | dict.fromkeys(once, 1)
        gaps = {
            name: intervals(count - 1, exponent, longest, seeds.derive(order_seed, "gaps", name))
            for name, count in lessons.items()
        }
        return schedule.planned(
            inner.tasks,
            plan(gaps, order_seed),
            examples_per_lesson=examples_per_lesson,
            evaluate_every=evaluate_every,
            seed=seed,
        )

    return stream


def intervals(count: int, exponent: float, longest: int, seed: int) -> tuple[int, ...]:
    """Draw `count` intervals from P(t) ~ t ** -exponent, t = 1, ..., longest."""
    drawn = np.random.default_rng(seed).choice(longest, count, p=law(exponent, longest))
    return tuple(int(interval) + 1 for interval in drawn)


def law(exponent: float, longest: int) -> np.ndarray:
    """Return the probability (longest,) of the intervals 1, ..., longest."""
    weights = np.arange(1, longest + 1, dtype=np.float64) ** -exponent
    return np.asarray(weights / weights.sum())


def times(gaps: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Return the times at which each task is met: the first at 0, the second from 1 on, ..."""
    return {
        name: tuple(int(time) for time in start + np.cumsum([0, *of_task]))
        for start, (name, of_task) in enumerate(gaps.items())
    }


def plan(gaps: Mapping[str, Sequence[int]], order_seed: int) -> plans.Plan:
    """Return the plan that meets every task at its `times`.

    Tasks due at the same time are taught one after the other, in an order drawn from `order_seed`.
    A time at which none is due takes no lesson. So the law is that of intervals in time, as in the
    paper. Counted in lessons they are another: with six tasks and the default law a task comes back
    in the very next lesson 0.19 of the time and in the one after that 0.20, where the law says 0.47
    and 0.17.
    """
    rng = np.random.default_rng(seeds.derive(order_seed, "ties"))
    met = [(at, rng.random(), name) for name, all_at in times(gaps).items() for at in all_at]
    return tuple(name for *_, name in sorted(met))
