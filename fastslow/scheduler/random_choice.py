"""The control: a channel drawn by lot, whatever the lesson."""

from __future__ import annotations

import dataclasses
import random
from typing import ClassVar

from fastslow import types
from fastslow.scheduler import memoryless


@dataclasses.dataclass(frozen=True)
class Random(memoryless.Memoryless):
    """Give each lesson to one channel, drawn by lot: what a policy that decides must beat."""

    fast_budget: int = 160
    slow_steps: int = 6
    fast_share: float = 0.5  # probability of the fast channel

    probing: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Raise ValueError for a share outside [0, 1]."""
        if not 0 <= self.fast_share <= 1:
            raise ValueError(f"fast_share must be in [0, 1], got {self.fast_share}")

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the budget of one channel, drawn with the lesson's seed."""
        if random.Random(probe.draw).random() < self.fast_share:
            return types.Decision(self.fast_budget, 0, "by lot: prompts")
        return types.Decision(0, self.slow_steps, "by lot: weights")
