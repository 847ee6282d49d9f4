"""What a run tells about itself as it goes, to whoever shows it or writes it down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from fastslow import types

Drift: TypeAlias = Mapping[str, Mapping[str, Any]]  # task -> condition -> learner.Drift


class RunStarted(NamedTuple):
    """All events of the stream are known, and the first `position` of them are done."""

    events: Sequence[types.Event]
    position: int


class LessonStarted(NamedTuple):
    """A lesson begins, with these budgets."""

    lesson: types.Lesson
    decision: types.Decision


class TrialStarted(NamedTuple):
    """One of several trials of the lesson begins: what follows is about it."""

    budgets: types.Budgets


class TrialKept(NamedTuple):
    """All trials are done, and this one, of this mean validation reward, is kept."""

    budgets: types.Budgets
    value: float
    absorbed: Sequence[types.Absorbed]


class Stepped(NamedTuple):
    """A channel finished `done` of `total` units of its budget; `facts` may hold "reward"."""

    channel: str
    done: int
    total: int
    facts: Mapping[str, float]


class ChannelDone(NamedTuple):
    """A channel is through with the lesson."""

    result: types.Absorbed


class EvaluationStarted(NamedTuple):
    """An evaluation begins."""

    point: types.EvaluationPoint


class Evaluated(NamedTuple):
    """An evaluation is done; `scores` by task, in [0, 1]."""

    point: types.EvaluationPoint
    scores: Mapping[str, float]
    drift: Drift


Happening: TypeAlias = (
    RunStarted
    | LessonStarted
    | TrialStarted
    | TrialKept
    | Stepped
    | ChannelDone
    | EvaluationStarted
    | Evaluated
)
Tell: TypeAlias = Callable[[Happening], None]


def silent(happening: Happening) -> None:
    """Tell nobody."""


def broadcast(tells: Sequence[Tell]) -> Tell:
    """Return what tells all of them, in order."""

    def tell(happening: Happening) -> None:
        for each in tells:
            each(happening)

    return tell
