"""Conventions and skills interleaved: which channel absorbs which lesson?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastslow import types
from fastslow.streams import conventions as convention_streams
from fastslow.streams import schedule
from fastslow.streams import skills as skill_streams
from fastslow.streams import tasks as task_makers


def _tasks(
    skill: str = "sentiment",
    conventions: str | Sequence[str] = ("letters", "thumbs", "label"),
    skills: str | Sequence[str] = ("sarcasm", "food", "heart_disease"),
    answers: str | Sequence[str] = skill_streams.ANSWERS,
    balanced: bool = True,
    validation: int = task_makers.VALIDATION,
    test: int = task_makers.TEST,
    split_seed: int = 0,
) -> list[types.Task]:
    """Lessons of conventions and of skills in a seeded order; tasks say which kind they are.

    `skill` and `conventions` are options of the stream `conventions`, `skills` and `answers` of the
    stream `skills`. Seed prompts tell the answers of the skills and not those of the conventions.
    The order of the lessons is drawn from the order seed. Raises UnknownNameError and StreamError.
    """
    shared: dict[str, Any] = {
        "balanced": balanced,
        "validation": validation,
        "test": test,
        "split_seed": split_seed,
    }
    forms = convention_streams.stream(skill=skill, conventions=conventions, **shared)
    decided = skill_streams.stream(skills=skills, answers=answers, **shared)
    return [*forms.tasks.values(), *decided.tasks.values()]


stream = schedule.scheduled(_tasks, order="mixed")
