"""Prompt optimisation alone: the weights stay those of the base model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from fastslow import types


@dataclasses.dataclass(frozen=True)
class FastOnly:
    """Give every lesson to the prompts only."""

    fast_budget: int = 160

    probing: ClassVar[bool] = False

    def init(self) -> types.Json:
        """Return the empty state: this policy remembers nothing."""
        return {}

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the fast budget, whatever the lesson."""
        return types.Decision(self.fast_budget, 0, "prompts only")

    def observe(
        self,
        state: types.Json,
        lesson: types.Lesson,
        probe: types.Probe,
        absorbed: Sequence[types.Absorbed],
    ) -> types.Json:
        """Return the state unchanged."""
        return state
