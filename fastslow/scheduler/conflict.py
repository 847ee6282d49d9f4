"""Text for lessons whose gradient opposes what earlier tasks taught the weights."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

from fastslow import types
from fastslow.scheduler import memoryless


@dataclasses.dataclass(frozen=True)
class Conflict(memoryless.Memoryless):
    """Keep a lesson in text when its gradient conflicts with an earlier task's, else in weights.

    The conflict is a negative cosine, the measure of gradient surgery (PCGrad, arXiv 2001.06782).
    It is estimated from one batch of samples, so that unrelated tasks scatter around 0.
    """

    fast_budget: int = 160
    slow_steps: int = 6
    threshold: float = 0.1  # a cosine below minus this is a conflict

    probing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raise ValueError for a threshold outside [0, 1]."""
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1], got {self.threshold}")

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the fast budget without a signal or with a conflict, else the slow one."""
        if not math.isnan(probe.silent_share) and probe.silent_share >= 1:
            reason = "no group of samples gives the weights a signal"
            return types.Decision(self.fast_budget, 0, reason)
        if math.isnan(probe.cosine):
            still = probe.gradient_norm == 0
            reason = "the gradient is zero" if still else "the weights hold no other task yet"
            return types.Decision(0, self.slow_steps, f"nothing to undo: {reason}")
        against = f"smallest cosine with the gradient of a task in the weights {probe.cosine:+.2f}"
        if probe.cosine < -self.threshold:
            reason = f"{against}: teaching the weights would undo it"
            return types.Decision(self.fast_budget, 0, reason)
        return types.Decision(0, self.slow_steps, f"{against}: the weights can take it")
