"""Per task: optimise the prompt first, then freeze it and train the weights under it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from fastslow import types


@dataclasses.dataclass(frozen=True)
class FastThenSlow:
    """Give a task's first lessons to the prompts, all later ones to the weights."""

    fast_lessons: int = 1  # lessons of each task that go to the fast channel
    fast_budget: int = 160
    slow_steps: int = 6

    probing: ClassVar[bool] = False

    def init(self) -> types.Json:
        """Return the empty state: `probe.times_seen` is all this policy needs."""
        return {}

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the fast budget while the task is new, the slow budget afterwards."""
        nth = probe.times_seen + 1
        if nth <= self.fast_lessons:
            reason = f"lesson {nth} of {lesson.task_name}: prompts come first"
            return types.Decision(self.fast_budget, 0, reason)
        reason = f"lesson {nth} of {lesson.task_name}: prompts are settled, now the weights"
        return types.Decision(0, self.slow_steps, reason)

    def observe(
        self,
        state: types.Json,
        lesson: types.Lesson,
        probe: types.Probe,
        absorbed: Sequence[types.Absorbed],
    ) -> types.Json:
        """Return the state unchanged."""
        return state
