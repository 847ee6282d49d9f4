"""Fast-Slow Training: every lesson first moves the prompts, then the weights (arXiv 2605.12484)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from fastslow import types


@dataclasses.dataclass(frozen=True)
class Interleave:
    """Give every lesson to both channels, fast first (Fast-Slow Training)."""

    fast_budget: int = 160  # metric calls per lesson
    slow_steps: int = 6  # T in the paper

    probing: ClassVar[bool] = False

    def init(self) -> types.Json:
        """Return the empty state: this policy remembers nothing."""
        return {}

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return both budgets, whatever the lesson."""
        return types.Decision(
            self.fast_budget, self.slow_steps, "every lesson: prompts, then weights"
        )

    def observe(
        self,
        state: types.Json,
        lesson: types.Lesson,
        probe: types.Probe,
        absorbed: Sequence[types.Absorbed],
    ) -> types.Json:
        """Return the state unchanged."""
        return state
