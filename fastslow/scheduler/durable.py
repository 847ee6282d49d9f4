"""Weights for what comes back, text for what may not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

from fastslow import types


@dataclasses.dataclass(frozen=True)
class Durable:
    """Teach the weights only tasks that come back: a one-off convention stays text.

    Lessons of a task that follow each other are one visit: what recurs are visits.
    """

    fast_budget: int = 160
    slow_steps: int = 6
    recurrences: int = 1  # earlier visits to a task from which on it counts as recurring

    probing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raise ValueError for a number of recurrences below 1."""
        if self.recurrences < 1:
            raise ValueError(f"recurrences must be at least 1, got {self.recurrences}")

    def init(self) -> types.Json:
        """Return the visits before any lesson: none."""
        return {"last": None, "visits": {}}

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the slow budget for a task that came back and has a signal, else the fast one."""
        earlier = _visits(state, lesson.task_name) - 1
        seen = f"{lesson.task_name} came back {earlier} time(s)"
        if earlier < self.recurrences:
            reason = f"{seen}, fewer than {self.recurrences}: may be a one-off, keep it in text"
            return types.Decision(self.fast_budget, 0, reason)
        if not math.isnan(probe.silent_share) and probe.silent_share >= 1:
            reason = f"{seen}, but no group of samples gives the weights a signal: prompts first"
            return types.Decision(self.fast_budget, 0, reason)
        return types.Decision(0, self.slow_steps, f"{seen}: it recurs, teach the weights")

    def observe(
        self,
        state: types.Json,
        lesson: types.Lesson,
        probe: types.Probe,
        absorbed: Sequence[types.Absorbed],
    ) -> types.Json:
        """Return the state with this lesson's visit, unless it goes on with the last one."""
        name = lesson.task_name
        return {"last": name, "visits": {**state["visits"], name: _visits(state, name)}}


def _visits(state: types.Json, name: str) -> int:
    """Return how many visits a task has had with that of its lesson now."""
    known: int = state["visits"].get(name, 0)
    return known + (state["last"] != name)
