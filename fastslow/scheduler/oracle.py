"""The upper bound: try every choice, and keep the best."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from fastslow import types
from fastslow.scheduler import memoryless


@dataclasses.dataclass(frozen=True)
class Oracle(memoryless.Memoryless):
    """Try every choice from the same state and keep what is best for all tasks taught so far.

    What was tried and discarded counts as cost of deciding. It is greedy: the best for now, judged
    on validation examples, and so a bound only up to their noise.
    """

    fast_budget: int = 160
    slow_steps: int = 6

    probing: ClassVar[bool] = True

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return four trials: nothing, prompts only, weights only, both."""
        fast, slow = self.fast_budget, self.slow_steps
        trials = dict.fromkeys(((0, 0), (fast, 0), (0, slow), (fast, slow)))  # budgets may be 0
        reason = "try nothing, prompts, weights and both; keep the best on validation examples"
        return types.Decision(0, 0, reason, tuple(types.Budgets(*trial) for trial in trials))
