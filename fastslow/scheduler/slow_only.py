"""The ordinary baseline: weights learn, the prompt stays the seed prompt."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from fastslow import types
from fastslow.scheduler import memoryless


@dataclasses.dataclass(frozen=True)
class SlowOnly(memoryless.Memoryless):
    """Give every lesson to the weights only."""

    slow_steps: int = 6

    probing: ClassVar[bool] = False

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the slow budget, whatever the lesson."""
        return types.Decision(0, self.slow_steps, "weights only")
