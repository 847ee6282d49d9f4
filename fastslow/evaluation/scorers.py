"""Scorers of text answers: strict about the answer, helpful about what was wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from fastslow import errors, types

ACCEPTED = "accepted"  # metadata key: further right answers, one per line

_SHOWN = 60  # characters of a wrong answer that feedback quotes
_EDGES = ".,:;!?\"'`*()[] "  # what a nearly right answer may have around it


class ScoreError(errors.UserError, ValueError):
    """A scorer gave what is no score; the message names scorer, example and what it gave."""


def score(scorer: types.Scorer, prediction: Any, example: Any) -> types.Score:
    """Return what `scorer` says of a prediction; raises ScoreError unless it is in [0, 1].

    Whoever scores, scores through this: a value that is none would reach rewards and tables.
    """
    name = getattr(scorer, "__qualname__", repr(scorer))
    about = f"example {getattr(example, 'id', example)!r}"
    with errors.during(f"scorer {name} was looking at {prediction!r}, the answer to {about}"):
        given = scorer(prediction, example)
    if isinstance(given, types.Score) and _is_share(given.value):
        return given._replace(value=float(given.value))  # a NumPy number is no JSON
    raise ScoreError(
        f"scorer {name} gave {given!r} for {about}: it must return a fastslow.types.Score with a "
        "value from 0 to 1"
    )


def _is_share(value: Any) -> bool:
    try:
        return math.isfinite(value) and 0 <= value <= 1
    except TypeError:
        return False


def exact_match(prediction: str, example: types.Example) -> types.Score:
    """Score 1 if the answer, stripped of surrounding white space, is an accepted one, else 0.

    Accepted are `example.target` and the lines of `example.metadata["accepted"]`. For an example
    with choices the feedback tells a wrong choice from an answer that is none.
    """
    answer = prediction.strip()
    accepted = accepted_answers(example)
    if answer in accepted:
        return types.Score(1.0, "correct")
    right = " or ".join(accepted)
    if not example.choices:
        return types.Score(0.0, f"expected exactly {right}; {_fault(answer, accepted)}")
    if answer in example.choices:
        return types.Score(0.0, f"wrong choice: {answer}; the right one is {right}")
    choices = ", ".join(example.choices)
    fault = _fault(answer, example.choices)
    return types.Score(
        0.0, f"expected exactly one of: {choices}; {fault}; the right one is {right}"
    )


def accepted_answers(example: types.Example) -> tuple[str, ...]:
    """Return every answer that counts as right, the target first."""
    further = example.metadata.get(ACCEPTED, "").split("\n")
    return tuple(
        dict.fromkeys([example.target.strip(), *(line.strip() for line in further if line)])
    )


def _fault(answer: str, wanted: Iterable[str]) -> str:
    """Say in which way `answer` is none of the `wanted` ones."""
    if not answer:
        return "got nothing"
    shown = repr(answer if len(answer) <= _SHOWN else answer[:_SHOWN] + "...")
    if _bare(answer) in map(_bare, wanted):
        return f"got {shown}: case and punctuation matter"
    if len(answer.split()) > 1 + max(len(text.split()) for text in wanted):
        return f"got a sentence: {shown}"
    return f"got {shown}"


def _bare(text: str) -> str:
    return text.casefold().strip(_EDGES)
