"""A convention that is reversed later: right answers become wrong ones, on the same inputs."""

from __future__ import annotations

from fastslow import types
from fastslow.streams import conventions, decisions, schedule
from fastslow.streams import tasks as task_makers


@schedule.scheduled
def stream(
    skill: str = "sentiment",
    convention: str = conventions.WORDS,
    reveal: bool = False,
    balanced: bool = True,
    validation: int = task_makers.VALIDATION,
    test: int = task_makers.TEST,
    split_seed: int = 0,
) -> list[types.Task]:
    """A convention and its reversal: SKILL_before, then SKILL_after with the answers swapped.

    Both tasks ask the same test inputs and are evaluated throughout. One answer cannot be right in
    both, so what weights score on one they lose on the other; only text can keep both. The later
    one is the convention in force; `repeats` of the schedule reverses it again and again. Options
    are those of `conventions`. Raises UnknownNameError and StreamError.
    """
    parts = decisions.split(
        skill, validation=validation, test=test, balanced=balanced, split_seed=split_seed
    )
    agreed = conventions.answers(convention, skill)
    reversed_ = decisions.Answers(yes=agreed.no, no=agreed.yes)
    return conventions.segments(skill, parts, {"before": agreed, "after": reversed_}, reveal)
