"""Cut a lesson into minibatches of examples, and a step's rows into padded micro-batches."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence

import numpy as np

from fastslow import types
from fastslow.lm import batch as lm_batch
from fastslow.slow import contracts


def minibatches(examples: types.Split, steps: int) -> Iterator[types.Split]:
    """Yield `steps` contiguous, nearly equal parts of `examples`, in order.

    With fewer examples than steps, the parts hold one example each and start over at the end.
    """
    parts = min(steps, len(examples))
    bounds = np.linspace(0, len(examples), parts + 1).astype(int)
    for step in range(steps):
        yield examples[bounds[step % parts] : bounds[step % parts + 1]]


def micro_batches(rows: Sequence[contracts.Row], micro_rows: int) -> Iterator[contracts.MicroBatch]:
    """Yield batches of at most `micro_rows` rows that share a prefix and are of similar length."""
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row.request.prefix].append(row)
    for group in groups.values():
        group.sort(key=lambda row: len(row.request.question) + len(row.tokens))
        for start in range(0, len(group), micro_rows):
            yield pack(group[start : start + micro_rows])


def pack(rows: Sequence[contracts.Row]) -> contracts.MicroBatch:
    """Pad rows of one prefix to a bucketed shape; padded rows and positions are masked."""
    inputs = lm_batch.pack(
        rows[0].request.prefix,
        [row.request.question for row in rows],
        [row.tokens for row in rows],
    )
    shape = inputs.completion.shape
    behaviour = np.zeros(shape, np.float32)
    advantages = np.zeros(shape[0], np.float32)
    for index, row in enumerate(rows):
        behaviour[index, : len(row.tokens)] = row.behaviour_logprobs
        advantages[index] = row.advantage
    mask = np.arange(shape[1]) < np.asarray(inputs.completion_length)[:, None]
    return contracts.MicroBatch(inputs, inputs.completion, mask, behaviour, advantages)


def train_tokens(rows: Sequence[contracts.Row], micro_rows: int) -> int:
    """Return how many tokens go through the update: a prefix counts once per micro-batch."""
    own = sum(len(row.request.question) + len(row.tokens) for row in rows)
    prefixes = collections.Counter(row.request.prefix for row in rows)
    return own + sum(len(prefix) * -(-count // micro_rows) for prefix, count in prefixes.items())
