"""The null fast channel of a language model: every task keeps its seed prompt."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

from fastslow import learner, null_channel, types
from fastslow.fast import prompt as prompts


@dataclasses.dataclass(frozen=True)
class SeedPrompts(null_channel.NullChannel):
    """Skip every lesson and answer with the seed prompts."""

    tasks: Mapping[str, types.Task]

    def prompts(self, state: types.Json, task_name: str) -> tuple[types.Prompt, ...]:
        """Return the task's seed prompt alone."""
        return (self.best(state, task_name),)

    def best(self, state: types.Json, task_name: str) -> types.Prompt:
        """Return the task's seed prompt."""
        return self.tasks[task_name].seed_prompt

    def reselect(self, state: types.ModelState, lesson_index: int, seed: int) -> learner.Reselected:
        """Return the state as it is: there is one prompt per task."""
        return learner.reselect_nothing(state, lesson_index, seed)

    def fill(self, state: types.Json, task_name: str) -> float:
        """Return 1: a prompt that never changes has no room for anything."""
        return 1.0

    def export(self, state: types.Json, directory: pathlib.Path) -> None:
        """Write every task's seed prompt to `directory`/TASK/0.md."""
        for name, task in self.tasks.items():
            prompts.write(directory / name / "0.md", task.seed_prompt)
