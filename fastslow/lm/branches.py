"""Several completions behind one question, laid out as one row: the question is read once.

A row is the question, flush right, then every completion without its last token. Completion c reads
the question and its own tokens only, because its segment is c + 1 and the question is the trunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastslow.lm import batch, scoring


class Branched(NamedTuple):
    """Rows with their targets: those of a row's completions, one after the other."""

    rows: batch.Rows
    targets: scoring.Targets
    slots: int  # how many of the last tokens of a row predict targets


class Sizes(NamedTuple):
    """The shape that rows are padded to."""

    rows: int
    question: int
    read: int  # completion tokens that are read
    targets: int


def read_tokens(completions: Sequence[batch.Tokens]) -> int:
    """Return how many tokens of `completions` are read: of each, all but the last."""
    return sum(len(completion) - 1 for completion in completions)


def build(
    questions: Sequence[batch.Tokens],
    completions: Sequence[Sequence[batch.Tokens]],
    sizes: Sizes,
) -> Branched:
    """Lay out `completions` (per question, any number) behind `questions`."""
    shape = (sizes.rows, sizes.question + sizes.read)
    tokens, positions = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    segments = np.full(shape, batch.PADDING, np.int32)
    targets = scoring.Targets(*np.zeros((2, sizes.rows, sizes.targets), np.int32))
    for row, (question, branches) in enumerate(zip(questions, completions, strict=True)):
        start = sizes.question - len(question)
        tokens[row, start : sizes.question] = question
        positions[row, start : sizes.question] = np.arange(len(question))
        segments[row, start : sizes.question] = batch.TRUNK
        slot = target = 0
        for branch, completion in enumerate(branches):
            read = len(completion) - 1
            here = slice(sizes.question + slot, sizes.question + slot + read)
            tokens[row, here] = completion[:-1]
            positions[row, here] = len(question) + np.arange(read)
            segments[row, here] = branch + 1
            predictors = [0, *range(slot + 1, slot + 1 + read)]
            targets.slots[row, target : target + len(completion)] = predictors
            targets.tokens[row, target : target + len(completion)] = completion
            slot, target = slot + read, target + len(completion)
    return Branched(batch.Rows(tokens, positions, segments), targets, sizes.read + 1)
