"""Per task: search for the prompt first, then train the weights under what was found.

The prompts found may still be ranked anew for the changed weights (fast.reselection_budget=0 keeps
them as they are).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from fastslow import types
from fastslow.scheduler import memoryless


@dataclasses.dataclass(frozen=True)
class FastThenSlow(memoryless.Memoryless):
    """Give a task's first lessons to the prompts, all later ones to the weights."""

    fast_lessons: int = 1  # lessons of each task that go to the fast channel
    fast_budget: int = 160
    slow_steps: int = 6

    probing: ClassVar[bool] = False

    def decide(self, state: types.Json, lesson: types.Lesson, probe: types.Probe) -> types.Decision:
        """Return the fast budget while the task is new, the slow budget afterwards."""
        nth = probe.times_seen + 1
        if nth <= self.fast_lessons:
            reason = f"lesson {nth} of {lesson.task_name}: prompts come first"
            return types.Decision(self.fast_budget, 0, reason)
        reason = f"lesson {nth} of {lesson.task_name}: prompts were searched, now the weights"
        return types.Decision(0, self.slow_steps, reason)
