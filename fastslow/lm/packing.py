"""Several questions, each with its completions, laid out in few rows of equal width.

A question stands with its completions behind it, each without its last token: completion c reads
the question and its own tokens only, because its branch is c + 1 and the question is the trunk.
Such sequences share a row without seeing each other, so that little of a batch is padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastslow.lm import batch

_WIDE = 1500  # width at which attention within a row takes about as long as all else (CPU, 135M)

Completions = Sequence[batch.Tokens]  # of one question


class Layout(NamedTuple):
    """Where sequences stand in rows of equal width."""

    rows: int
    width: int
    starts: np.ndarray  # (sequences,) int: row * width + place in the row

    @property
    def size(self) -> int:
        """Tokens of all rows, padding included."""
        return self.rows * self.width


class Packed(NamedTuple):
    """Rows, and for each question the index among all tokens (R * T) of its last one."""

    rows: batch.Rows
    ends: np.ndarray  # (questions,) int


class Targets(NamedTuple):
    """What the completions of one question are to predict: their tokens, one after the other."""

    predictors: list[int]  # index among all tokens (R * T) of the token whose logits predict it
    tokens: list[int]


def read_tokens(completions: Completions) -> int:
    """Return how many tokens of `completions` are read: of each, all but the last."""
    return sum(len(completion) - 1 for completion in completions)


def place(lengths: Sequence[int], buckets: batch.BatchBuckets) -> Layout:
    """Place sequences in rows, the longest first, each in the first row with room.

    Of the widths from that which holds the longest to twice that, the cheapest one is taken.
    """
    narrow = buckets.width.fit(max(lengths))
    widths = sorted({buckets.width.fit(size) for size in range(narrow, 2 * narrow + 1)})
    layouts = [_first_fit(lengths, width, buckets.rows) for width in widths]
    return min(layouts, key=lambda layout: layout.size * (_WIDE + layout.width))


def _first_fit(lengths: Sequence[int], width: int, rows: batch.Buckets) -> Layout:
    used: list[int] = []  # per row
    starts = np.zeros(len(lengths), np.int64)
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[index]
        row = next((r for r, taken in enumerate(used) if taken + length <= width), len(used))
        if row == len(used):
            used.append(0)
        starts[index] = row * width + used[row]
        used[row] += length
    return Layout(rows.fit(len(used)), width, starts)


def pack(
    questions: Sequence[batch.Tokens],
    completions: Sequence[Completions],
    buckets: batch.BatchBuckets = batch.BUCKETS,
) -> Packed:
    """Lay out questions (not empty), each with its completions (any number, none of them empty)."""
    reads = map(read_tokens, completions)
    lengths = [len(question) + read for question, read in zip(questions, reads, strict=True)]
    layout = place(lengths, buckets)
    tokens, positions, branches = np.zeros((3, layout.size), np.int32)
    sequences = np.full(layout.size, batch.PADDING, np.int32)
    for number, (start, length) in enumerate(zip(layout.starts, lengths, strict=True)):
        question = questions[number]
        here, trunk = slice(start, start + length), slice(start, start + len(question))
        sequences[here] = number
        tokens[trunk], positions[trunk] = question, np.arange(len(question))
        branches[trunk] = batch.TRUNK
        slot = trunk.stop
        for branch, completion in enumerate(completions[number], start=1):
            read = slice(slot, slot + len(completion) - 1)
            tokens[read], branches[read] = completion[:-1], branch
            positions[read] = len(question) + np.arange(len(completion) - 1)
            slot = read.stop
    shape = (layout.rows, layout.width)
    rows = batch.Rows(*(part.reshape(shape) for part in (tokens, positions, sequences, branches)))
    return Packed(rows, layout.starts + [len(question) - 1 for question in questions])


def targets(end: int, completions: Completions) -> Targets:
    """Return what the completions behind a question that ends at `end` are to predict.

    The question's last token predicts the first token of every completion.
    """
    found = Targets([], [])
    slot = end + 1
    for completion in completions:
        read = len(completion) - 1
        found.predictors.extend([end, *range(slot, slot + read)])
        found.tokens.extend(completion)
        slot += read
    return found


def split(values: np.ndarray, completions: Completions) -> list[np.ndarray]:
    """Cut values of a row's targets (N,), in the order of `targets`, by completion; copies."""
    ends = np.cumsum([len(completion) for completion in completions])
    return [part.copy() for part in np.split(values[: ends[-1]], ends[:-1])]


def token_batch(
    prefix: batch.Tokens,
    questions: Sequence[batch.Tokens],
    completions: Sequence[Completions],
    buckets: batch.BatchBuckets = batch.BUCKETS,
) -> batch.TokenBatch:
    """Lay out one prefix and its questions, each with its completions, in bucketed shapes.

    The targets are those of the first question, then those of the second, and so on; an end that is
    to be learnt is a completion's last token. Raises ValueError where there is nothing to predict,
    or nothing to predict from.
    """
    if len(questions) != len(completions):
        raise ValueError(f"{len(questions)} questions but {len(completions)} lists of completions")
    if not all(len(question) for question in questions):
        raise ValueError("a question has no tokens: nothing to predict the completion from")
    if not all(len(c) for of_question in completions for c in (of_question or [()])):
        raise ValueError("a question has no completion, or an empty one: nothing to predict")
    packed = pack(questions, completions, buckets)
    wanted = [targets(int(end), c) for end, c in zip(packed.ends, completions, strict=True)]
    count = sum(len(part.tokens) for part in wanted)
    room = buckets.targets.fit(count)
    return batch.TokenBatch(
        prefix=batch.pad_right([prefix], 1, buckets.prefix.fit(len(prefix)))[0],
        prefix_length=np.asarray(len(prefix), np.int32),
        rows=packed.rows,
        predictors=batch.pad_right([[i for t in wanted for i in t.predictors]], 1, room)[0],
        targets=batch.pad_right([[token for t in wanted for token in t.tokens]], 1, room)[0],
        target_count=np.asarray(count, np.int32),
    )
