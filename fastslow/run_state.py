"""The whole state of a run in one frozen value, and its storable form."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from fastslow import learner, types, validation

# By task: a unit vector that stands for the gradient of its last probed lesson.
Sketches: TypeAlias = Mapping[str, tuple[float, ...]]


@dataclasses.dataclass(frozen=True)
class RunState:
    """Where a run stands after `position` events; with the stream and the seed it is everything."""

    position: int
    model: types.ModelState
    scheduler: types.Json
    taught: tuple[str, ...] = ()  # task names of the lessons so far, in order
    known: validation.Known = dataclasses.field(default_factory=dict)  # of `model`, if measured
    sketches: Sketches = dataclasses.field(default_factory=dict)  # of tasks that moved the weights
    worth: Mapping[str, float] = dataclasses.field(default_factory=dict)  # by channel, see `Probe`
    slow_steps: int = 0
    cost: types.Cost = dataclasses.field(default_factory=types.Cost)


def init(model: learner.Learner, scheduler: types.Scheduler, seed: int) -> RunState:
    """Return the state before the first event."""
    return RunState(0, learner.init(model, seed), scheduler.init())


def probe(state: RunState, lesson: types.Lesson) -> types.Probe:
    """Collect the facts about `lesson` that need no forward pass."""
    times = collections.Counter(state.taught)[lesson.task_name]
    since = state.taught[::-1].index(lesson.task_name) + 1 if times else 0
    visits = [name for name, _ in itertools.groupby((*state.taught, lesson.task_name))]
    return types.Probe(
        times_seen=times,
        lessons_since=since,
        lesson_number=len(state.taught),
        returns=visits.count(lesson.task_name) - 1,
        fast_worth=state.worth.get("fast", math.nan),
        slow_worth=state.worth.get("slow", math.nan),
    )


def worth(old: Mapping[str, float], absorbed: Iterable[types.Absorbed]) -> dict[str, float]:
    """Return what every channel gained per TFLOP when it was used last, where that was measured."""
    measured = {
        part.channel: part.gain / (part.cost.flops / 1e12)
        for part in absorbed
        if part.outcome in ("changed", "rejected")
        and part.cost.flops > 0
        and not math.isnan(part.gain)
    }
    return {**old, **measured}


def save(state: RunState, model: learner.Learner) -> types.Saved:
    """Return the storable form of the state."""
    slow, fast = model.slow.save(state.model.slow), model.fast.save(state.model.fast)
    return types.Saved(
        arrays={"slow": slow.arrays, "fast": fast.arrays},
        text={
            "position": state.position,
            "slow": slow.text,
            "fast": fast.text,
            "scheduler": state.scheduler,
            "taught": list(state.taught),
            "known": {name: _plain(result) for name, result in state.known.items()},
            "sketches": {name: list(sketch) for name, sketch in state.sketches.items()},
            "worth": dict(state.worth),
            "slow_steps": state.slow_steps,
            "cost": state.cost._asdict(),
        },
    )


def restore(saved: types.Saved, model: learner.Learner) -> RunState:
    """Invert `save`."""
    text: dict[str, Any] = saved.text
    return RunState(
        position=text["position"],
        model=types.ModelState(
            slow=model.slow.restore(types.Saved(saved.arrays["slow"], text["slow"])),
            fast=model.fast.restore(types.Saved(saved.arrays["fast"], text["fast"])),
        ),
        scheduler=text["scheduler"],
        taught=tuple(text["taught"]),
        known={name: _result(*values) for name, values in text["known"].items()},
        sketches={name: tuple(sketch) for name, sketch in text["sketches"].items()},
        worth=text["worth"],
        slow_steps=text["slow_steps"],
        cost=types.Cost(**text["cost"]),
    )


def _plain(result: validation.Result) -> list[types.Json]:
    """Return the fields, None for NaN: saved states that are the same must compare equal."""
    return [list(result.rewards), None if math.isnan(result.malformed) else result.malformed]


def _result(rewards: list[float], malformed: float | None) -> validation.Result:
    return validation.Result(tuple(rewards), math.nan if malformed is None else malformed)
