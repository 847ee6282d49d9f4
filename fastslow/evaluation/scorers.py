"""Scorers of text answers: strict about the answer, helpful about what was wrong with it."""

from __future__ import annotations

from collections.abc import Iterable

from fastslow import types

ACCEPTED = "accepted"  # metadata key: further right answers, one per line

_SHOWN = 60  # characters of a wrong answer that feedback quotes
_EDGES = ".,:;!?\"'`*()[] "  # what a nearly right answer may have around it


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
