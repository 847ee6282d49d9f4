"""Weights for what comes back, text for what may not."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

from fastslow import types
from fastslow.scheduler import memoryless


@dataclasses.dataclass(frozen=True)
class Durable(memoryless.Memoryless):
    """Teach the weights only tasks that come back: a one-off convention stays text.

    Lessons of a task that follow each other are one visit, and no return.
    """

    fast_budget: int = 160
    slow_steps: int = 6
    recurrences: int = 1  # returns from which on a task counts as recurring

    probing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raise ValueError for a number of recurrences below 1."""
        if self.recurrences < 1:
            raise ValueError(f"recurrences must be at least 1, got {self.recurrences}")

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the slow budget for a task that came back and has a signal, else the fast one."""
        seen = f"{lesson.task_name} came back {probe.returns} time(s)"
        if probe.returns < self.recurrences:
            reason = f"{seen}, fewer than {self.recurrences}: may be a one-off, keep it in text"
            return types.Decision(self.fast_budget, 0, reason)
        if not math.isnan(probe.silent_share) and probe.silent_share >= 1:
            reason = f"{seen}, but no group of samples gives the weights a signal: prompts first"
            return types.Decision(self.fast_budget, 0, reason)
        return types.Decision(0, self.slow_steps, f"{seen}: it recurs, teach the weights")
