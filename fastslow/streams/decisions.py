"""Two-way decisions on real texts that can be answered in any two words.

What is decided is a skill, in which words a convention: streams hold one of them fixed and vary the
other. Sources, sizes and licences are in the table of `evals_short`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fastslow import registry, types
from fastslow.evaluation import scorers
from fastslow.streams import errors, evals_short, splits


class Answers(NamedTuple):
    """The two answers of a decision."""

    yes: str
    no: str


class Decision(NamedTuple):
    """A set of `evals_short`, seen as the question whether a statement is true of the input."""

    statement: str
    source: Answers  # how the set itself answers
    words: Answers  # how a person might
    prefix: str = ""  # of every input of the set; left out, because it tells the format


DECISIONS: Mapping[str, Decision] = {
    "sentiment": Decision(
        "the film review is favourable",
        source=Answers("positive", "negative"),
        words=Answers("positive", "negative"),
    ),
    "sarcasm": Decision(
        "the news headline is satire",
        source=Answers("1", "0"),
        words=Answers("satire", "serious"),
    ),
    "food": Decision(
        "the word has to do with food",
        source=Answers("Yes", "No"),
        words=Answers("food", "other"),
        prefix="Is the following string a food item or related to food? ",
    ),
    "heart_disease": Decision(
        "the patient has heart disease",
        source=Answers("1", "0"),
        words=Answers("sick", "healthy"),
    ),
}


def get(skill: str) -> Decision:
    """Return a decision by name; raises registry.UnknownNameError."""
    if skill not in DECISIONS:
        raise registry.unknown("skill", skill, DECISIONS)
    return DECISIONS[skill]


def split(
    skill: str, *, validation: int, test: int, balanced: bool, split_seed: int
) -> splits.Splits:
    """Split the examples of a skill, with the targets of its source.

    Every stream that uses a skill with the same arguments has the same split, whatever the answers,
    so that no training item of one is a test item of another. `balanced`: both answers are equally
    frequent in every split. Raises UnknownNameError, StreamError and what artifacts raises.
    """
    decision = get(skill)
    _, examples = evals_short.usable(skill, split_seed)
    if not balanced:
        bare = [_without(example, decision.prefix) for example in examples]
        return splits.split(bare, validation=validation, test=test, seed=split_seed)
    equal = splits.balanced(examples, split_seed)
    bare = [_without(example, decision.prefix) for example in equal]
    return splits.stratified(bare, validation=validation, test=test, seed=split_seed)


def task(
    name: str, skill: str, parts: splits.Splits, answers: Answers, instruction: str, kind: str
) -> types.Task:
    """Return the task that asks `parts` for `answers`; raises StreamError for unusable answers."""
    decision = get(skill)
    _check(answers)
    renamed = dict(zip(decision.source, answers, strict=True))
    return types.Task(
        name,
        *splits.Splits(*(_relabelled(part, renamed) for part in parts)),
        scorer=scorers.exact_match,
        seed_prompt=types.Prompt(instruction),
        kind=kind,
    )


def instruction(skill: str, answers: Answers | None) -> str:
    """Return what a seed prompt says: what to decide, and the answers unless they are None."""
    question = f"Decide whether {get(skill).statement}."
    if answers is None:
        return f"{question} Answer in the agreed form."
    return f"{question} Answer {answers.yes} if so, {answers.no} if not, and nothing else."


def _without(example: types.Example, prefix: str) -> types.Example:
    return example._replace(input=example.input.removeprefix(prefix))


def _relabelled(
    examples: Iterable[types.Example], renamed: Mapping[str, str]
) -> tuple[types.Example, ...]:
    """Rename the targets; answers that the source accepts beside them are no longer right."""
    choices = tuple(renamed.values())
    return tuple(
        example._replace(target=renamed[example.target], choices=choices, metadata={})
        for example in examples
    )


def _check(answers: Answers) -> None:
    stripped = [answer.strip() for answer in answers]
    if "" in stripped or stripped[0] == stripped[1]:
        raise errors.StreamError(f"answers must be two different texts, got {list(answers)}")
