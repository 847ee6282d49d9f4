"""The ordinary baseline: weights learn, the prompt stays the seed prompt."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from fastslow import types


@dataclasses.dataclass(frozen=True)
class SlowOnly:
    """Give every lesson to the weights only."""

    slow_steps: int = 6

    probing: ClassVar[bool] = False

    def init(self) -> types.Json:
        """Return the empty state: this policy remembers nothing."""
        return {}

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the slow budget, whatever the lesson."""
        return types.Decision(0, self.slow_steps, "weights only")

    def observe(
        self,
        state: types.Json,
        lesson: types.Lesson,
        probe: types.Probe,
        absorbed: Sequence[types.Absorbed],
    ) -> types.Json:
        """Return the state unchanged."""
        return state
