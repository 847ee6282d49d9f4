"""Several skills, one form of the answers: what weights should learn and a prompt hardly can."""

from __future__ import annotations

from collections.abc import Sequence

from fastslow import types
from fastslow.streams import decisions, errors, schedule
from fastslow.streams import tasks as task_makers

KIND = "skill"
ANSWERS = decisions.Answers("True", "False")  # every heart_disease input holds a Yes or a No


@schedule.scheduled
def stream(
    skills: str | Sequence[str] = tuple(decisions.DECISIONS),
    answers: str | Sequence[str] = ANSWERS,
    reveal: bool = True,
    balanced: bool = True,
    validation: int = task_makers.VALIDATION,
    test: int = task_makers.TEST,
    split_seed: int = 0,
) -> list[types.Task]:
    """Several skills under one convention: two-way decisions, all answered by the same two words.

    `skills` names decisions.DECISIONS and `answers` the words for true and not true, as sequences
    or with commas between. The seed prompt names the decision and, if `reveal`, the words.
    `balanced`: both answers are equally frequent, so that a constant answer scores 0.5. Raises
    UnknownNameError and StreamError.
    """
    words = pair(answers)
    sizes = {"validation": validation, "test": test, "split_seed": split_seed}
    return [
        decisions.task(
            skill,
            skill,
            decisions.split(skill, balanced=balanced, **sizes),
            words,
            decisions.instruction(skill, words if reveal else None),
            KIND,
        )
        for skill in task_makers.listed(skills)
    ]


def pair(answers: str | Sequence[str]) -> decisions.Answers:
    """Return the two answers of an option; raises StreamError if they are not two."""
    words = task_makers.listed(answers)
    if len(words) != 2:
        raise errors.StreamError(f"answers must be two texts, got {list(words)}")
    return decisions.Answers(*words)
