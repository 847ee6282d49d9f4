"""Prompt optimisation alone: the weights stay those of the base model."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from fastslow import types
from fastslow.scheduler import memoryless


@dataclasses.dataclass(frozen=True)
class FastOnly(memoryless.Memoryless):
    """Give every lesson to the prompts only."""

    fast_budget: int = 160

    probing: ClassVar[bool] = False

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the fast budget, whatever the lesson."""
        return types.Decision(self.fast_budget, 0, "prompts only")
