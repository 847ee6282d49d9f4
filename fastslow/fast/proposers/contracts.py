"""What a proposer is given and what it returns."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from fastslow import types


class Graded(NamedTuple):
    """The current model's answer to an example under some prompt, and its score."""

    example: types.Example
    text: str
    score: types.Score


class Limits(NamedTuple):
    """The caps every proposal must respect."""

    max_demos: int
    max_lessons: int
    max_chars: int  # of all texts of a prompt together
    # The reason why the prompt exceeds the context, or None.
    exceeds_context: Callable[[types.Prompt], str | None] = lambda prompt: None


class Context(NamedTuple):
    """What a proposer may use beside the parent; anchor and validation examples are not in here."""

    pool: Sequence[types.Example]  # the lesson's examples that prompts may show
    partners: Sequence[types.Prompt]  # the other candidates, best mean reward first
    limits: Limits


class Proposal(NamedTuple):
    """A new prompt with what was done in `reason`; or None with why there is none.

    `failed` marks an error outside the method (network, a broken answer), as opposed to an operator
    that has nothing to offer for this parent.
    """

    prompt: types.Prompt | None
    reason: str
    cost: types.Cost = types.Cost()
    failed: bool = False


class Proposer(Protocol):
    """An operator on prompts, pure given the state of `rng` (and a reflection LM's answers)."""

    def __call__(
        self,
        parent: types.Prompt,
        answers: Sequence[Graded],
        context: Context,
        rng: random.Random,
    ) -> Proposal:
        """Return a changed `parent`; `answers` are its answers to a minibatch of the pool."""
        ...


def failures(answers: Sequence[Graded]) -> list[Graded]:
    """Return the answers with less than full reward."""
    return [answer for answer in answers if answer.score.value < 1.0]


def remember(parent: types.Prompt, line: str, limits: Limits) -> types.Prompt:
    """Append a lesson; the oldest ones make room for it."""
    return parent._replace(lessons=(*parent.lessons, line)[-limits.max_lessons :])
