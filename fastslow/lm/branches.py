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


def pack(
    prefix: batch.Tokens,
    questions: Sequence[batch.Tokens],
    completions: Sequence[Sequence[batch.Tokens]],
    buckets: batch.BatchBuckets = batch.BUCKETS,
) -> batch.TokenBatch:
    """Lay out one prefix and its questions, each with its completions, in bucketed shapes.

    The targets of a row are its completions, one after the other; an end that is to be learnt is
    their last token. Raises ValueError where there is nothing to predict, or nothing to predict
    from: the last question token predicts the first token of every completion.
    """
    if len(questions) != len(completions):
        raise ValueError(f"{len(questions)} questions but {len(completions)} lists of completions")
    if not all(len(question) for question in questions):
        raise ValueError("a question has no tokens: nothing to predict the completion from")
    if not all(len(c) for of_question in completions for c in (of_question or [()])):
        raise ValueError("a question has no completion, or an empty one: nothing to predict")
    question = batch.longest(questions)
    read = max(map(read_tokens, completions))
    counts = [sum(map(len, of_question)) for of_question in completions]
    sizes = Sizes(
        rows=buckets.rows.fit(len(questions)),
        question=question,
        read=buckets.question.fit(question + read) - question,
        targets=buckets.completion.fit(max(counts)),
    )
    built = build(questions, completions, sizes)
    return batch.TokenBatch(
        prefix=batch.pad_right([prefix], 1, buckets.prefix.fit(len(prefix)))[0],
        prefix_length=np.asarray(len(prefix), np.int32),
        rows=built.rows,
        predictors=question - 1 + built.targets.slots,
        targets=built.targets.tokens,
        lengths=np.pad(np.asarray(counts, np.int32), (0, sizes.rows - len(counts))),
    )


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
