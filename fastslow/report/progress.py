"""Progress of a run, as it happens: on a terminal a live display, in a log plain lines."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TextIO

from fastslow import types
from fastslow.report import pace as pace_lib
from fastslow.report import wording

Clock = Callable[[], float]  # seconds, from any origin
Drift = Mapping[str, Mapping[str, Any]]  # task -> condition -> trained_base, base_trained


class Progress(Protocol):
    """What the loop tells about itself; implementations only show it."""

    def started(self, events: Sequence[types.Event], position: int) -> None:
        """All events of the stream are known, and the first `position` of them are done."""
        ...

    def lesson_started(self, lesson: types.Lesson, decision: types.Decision) -> None:
        """A lesson begins, with these budgets."""
        ...

    def trial_started(self, budgets: types.Budgets) -> None:
        """One of several trials of the lesson begins: what follows is about it."""
        ...

    def trial_kept(
        self, budgets: types.Budgets, value: float, absorbed: Sequence[types.Absorbed]
    ) -> None:
        """All trials are done, and this one, of this mean validation reward, is kept."""
        ...

    def step(self, channel: str, done: int, total: int, facts: Mapping[str, float]) -> None:
        """A channel finished `done` of `total` units of its budget; `facts` may hold "reward"."""
        ...

    def absorbed(self, result: types.Absorbed) -> None:
        """A channel is through with the lesson."""
        ...

    def evaluation_started(self, point: types.EvaluationPoint) -> None:
        """An evaluation begins."""
        ...

    def evaluated(
        self, point: types.EvaluationPoint, scores: Mapping[str, float], drift: Drift
    ) -> None:
        """An evaluation is done."""
        ...


class Silent:
    """Show nothing."""

    def started(self, events: Sequence[types.Event], position: int) -> None:
        """Show nothing."""

    def lesson_started(self, lesson: types.Lesson, decision: types.Decision) -> None:
        """Show nothing."""

    def trial_started(self, budgets: types.Budgets) -> None:
        """Show nothing."""

    def trial_kept(
        self, budgets: types.Budgets, value: float, absorbed: Sequence[types.Absorbed]
    ) -> None:
        """Show nothing."""

    def step(self, channel: str, done: int, total: int, facts: Mapping[str, float]) -> None:
        """Show nothing."""

    def absorbed(self, result: types.Absorbed) -> None:
        """Show nothing."""

    def evaluation_started(self, point: types.EvaluationPoint) -> None:
        """Show nothing."""

    def evaluated(
        self, point: types.EvaluationPoint, scores: Mapping[str, float], drift: Drift
    ) -> None:
        """Show nothing."""


class Plain:
    """Write one line per happening, each with the time since the start; for logs and pipes."""

    def __init__(self, write: Callable[[str], None], clock: Clock = time.monotonic):
        self._write, self._clock = write, clock
        self._origin = clock()
        self._pace = pace_lib.Pace()

    def started(self, events: Sequence[types.Event], position: int) -> None:
        """Write how much there is to do."""
        self._pace = pace_lib.Pace(tuple(events), position)
        lessons = sum(isinstance(event, types.Lesson) for event in events)
        resumed = f", {position} events already done" if position else ""
        evaluations = wording.count(len(events) - lessons, "evaluation")
        self._line(f"{wording.count(lessons, 'lesson')}, {evaluations}{resumed}")

    def lesson_started(self, lesson: types.Lesson, decision: types.Decision) -> None:
        """Write which lesson it is and what was decided, with the reason."""
        place = lesson_place(self._pace.events, lesson.index)
        self._begin(lesson)
        given = wording.budgets(decision._asdict())
        left = self._pace.left
        after = "" if left is None else f"; about {wording.duration(left)} left after it"
        self._line(f"lesson {place}  {lesson.task_name}: {given} ({decision.reason}){after}")

    def trial_started(self, budgets: types.Budgets) -> None:
        """Write what is tried."""
        self._line("  " + trial_line(budgets))

    def trial_kept(
        self, budgets: types.Budgets, value: float, absorbed: Sequence[types.Absorbed]
    ) -> None:
        """Write which trial was kept."""
        self._line("  " + kept_line(budgets, value))

    def step(self, channel: str, done: int, total: int, facts: Mapping[str, float]) -> None:
        """Write nothing: a log needs no line per step."""

    def absorbed(self, result: types.Absorbed) -> None:
        """Write what became of the lesson in one channel."""
        self._line("  " + absorbed_line(result))

    def evaluation_started(self, point: types.EvaluationPoint) -> None:
        """Write nothing: the result follows."""
        self._begin(point)

    def evaluated(
        self, point: types.EvaluationPoint, scores: Mapping[str, float], drift: Drift
    ) -> None:
        """Write the scores and the drift."""
        self._line(evaluated_line(scores, drift))

    def _begin(self, event: types.Event) -> None:
        self._pace = self._pace.begins(event, self._clock())

    def _line(self, text: str) -> None:
        elapsed = int(self._clock() - self._origin)
        self._write(f"[{elapsed // 60:02d}:{elapsed % 60:02d}] {text}")


@contextlib.contextmanager
def for_terminal(stream: TextIO | None = None) -> Iterator[Progress]:
    """Yield a live display if `stream` (default stderr) is a terminal, else one that writes lines.

    However the block is left, the terminal is as it was before.
    """
    output = sys.stderr if stream is None else stream
    if not output.isatty():
        yield Plain(lambda line: print(line, file=output, flush=True))
        return
    from fastslow.report import live  # rich is slow to import, and useless in a log

    with live.display(output) as watcher:
        yield watcher


def lesson_place(events: Sequence[types.Event], index: int) -> str:
    """Return "3/6" for the third of six lessons."""
    indices = [event.index for event in events if isinstance(event, types.Lesson)]
    return f"{sum(i <= index for i in indices)}/{len(indices)}"


def trial_line(budgets: types.Budgets) -> str:
    """Return the line over the results of a trial."""
    return f"trial: {wording.trial(budgets._asdict())}"


def kept_line(budgets: types.Budgets, value: float) -> str:
    """Return the line under the results of all trials."""
    worth = f"mean validation reward {wording.score(value)}"
    return f"kept: {wording.trial(budgets._asdict())} ({worth} over the tasks so far)"


def absorbed_line(result: types.Absorbed) -> str:
    """Return one line about a lesson in one channel, e.g. "fast changed 0.25 → 0.50 ...".

    The rewards are the channel's own, on what it learned from; a gain is that on validation.
    """
    rewards = (result.reward_before, result.reward_after)
    moved = "" if all(map(math.isnan, rewards)) else " → ".join(map(wording.score, rewards)) + "  "
    seconds = result.cost.seconds
    spent = f"  [{wording.duration(seconds)}, {speed(result.cost)}]" if seconds else ""
    gain = "" if math.isnan(result.gain) else f"; gain on validation {wording.change(result.gain)}"
    return f"{result.channel} {result.outcome}  {moved}{result.reason}{gain}{spent}"


def evaluated_line(scores: Mapping[str, float], drift: Drift) -> str:
    """Return one line with the score of every task and the mean drift."""
    listed = "  ".join(f"{task} {wording.score(value)}" for task, value in scores.items())
    mean = mean_drift(drift)
    suffix = "" if mean is None else f"  drift {wording.divergence(mean)} nats/token"
    return f"evaluation  {listed}{suffix}"


def mean_drift(drift: Drift) -> float | None:
    """Return KL(trained || base) with the prompt in nats per token, averaged over tasks."""
    known = [
        conditions["with_prompt"].trained_base
        for conditions in drift.values()
        if "with_prompt" in conditions
    ]
    finite = [value for value in known if not math.isnan(value)]
    return sum(finite) / len(finite) if finite else None


def speed(cost: types.Cost) -> str:
    """Return the tokens per second of a cost that has a time."""
    return f"{wording.quantity(wording.tokens(cost._asdict()) / cost.seconds)} tokens/s"
