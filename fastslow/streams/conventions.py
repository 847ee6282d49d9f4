"""One skill, other answers in every segment: what a prompt should learn and weights need not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastslow import registry, types
from fastslow.streams import decisions, errors, schedule, splits
from fastslow.streams import tasks as task_makers

KIND = "convention"
WORDS = "words"  # the convention that is another one for each skill, see decisions.Decision
CONVENTIONS: Mapping[str, decisions.Answers] = {
    "yes_no": decisions.Answers("yes", "no"),
    "letters": decisions.Answers("A", "B"),
    "thumbs": decisions.Answers("thumbs up", "thumbs down"),
    "label": decisions.Answers("LABEL: pos", "LABEL: neg"),
    "digits": decisions.Answers("1", "0"),
    "truth": decisions.Answers("true", "false"),
}


@schedule.scheduled
def stream(
    skill: str = "sentiment",
    conventions: str | Sequence[str] = (WORDS, "yes_no", "letters", "thumbs", "label"),
    reveal: bool = False,
    balanced: bool = True,
    validation: int = task_makers.VALIDATION,
    test: int = task_makers.TEST,
    split_seed: int = 0,
) -> list[types.Task]:
    """One skill under changing conventions: a task per form of the answers, same inputs to judge.

    `conventions` names forms (the table CONVENTIONS and "words"), as a sequence or with commas
    between; `skill` is one of decisions.DECISIONS. The seed prompt is the same for all segments and
    does not tell the form unless `reveal`. Segments share test and validation inputs and deal the
    training inputs out among them, so that a score differs by the form alone and no input is taught
    in two forms. `balanced`: both answers are equally frequent. Raises UnknownNameError and
    StreamError.
    """
    parts = decisions.split(
        skill, validation=validation, test=test, balanced=balanced, split_seed=split_seed
    )
    listed = task_makers.listed(conventions)
    if len({*listed}) < len(listed):
        raise errors.StreamError(f"conventions must be named once each, got {', '.join(listed)}")
    named = {name: answers(name, skill) for name in listed}
    return segments(skill, parts, named, reveal)


def answers(convention: str, skill: str) -> decisions.Answers:
    """Return the answers of a convention by name; raises UnknownNameError."""
    if convention == WORDS:
        return decisions.get(skill).words
    if convention not in CONVENTIONS:
        raise registry.unknown("convention", convention, (WORDS, *CONVENTIONS))
    return CONVENTIONS[convention]


def segments(
    skill: str, parts: splits.Splits, named: Mapping[str, decisions.Answers], reveal: bool
) -> list[types.Task]:
    """Return a task SKILL_NAME for each of the `named` answers, see `stream`."""
    hands = splits.dealt(parts.train, len(named))
    return [
        decisions.task(
            f"{skill}_{name}",
            skill,
            parts._replace(train=hand),
            agreed,
            decisions.instruction(skill, agreed if reveal else None),
            KIND,
        )
        for (name, agreed), hand in zip(named.items(), hands, strict=True)
    ]
