"""Fast-Slow Training: every lesson first moves the prompts, then the weights (arXiv 2605.12484)."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from fastslow import types
from fastslow.scheduler import memoryless


@dataclasses.dataclass(frozen=True)
class Interleave(memoryless.Memoryless):
    """Give every lesson to both channels, fast first (Fast-Slow Training)."""

    fast_budget: int = 160  # metric calls per lesson
    slow_steps: int = 6  # T in the paper

    probing: ClassVar[bool] = False

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return both budgets, whatever the lesson."""
        return types.Decision(
            self.fast_budget, self.slow_steps, "every lesson: prompts, then weights"
        )
