"""Cut a lesson into minibatches of examples, and a step's rows into padded micro-batches."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fastslow import types
from fastslow.lm import batch as lm_batch
from fastslow.lm import packing
from fastslow.slow import contracts

# Compiling the update takes seconds, so its axes are padded more coarsely than the engine's.
_BUCKETS = dataclasses.replace(
    lm_batch.BUCKETS,
    prefix=lm_batch.Buckets(128, steps=2),
    width=lm_batch.Buckets(128),
    rows=lm_batch.Buckets(1, steps=2),
    targets=lm_batch.Buckets(128),
)


def minibatches(examples: types.Split, steps: int) -> Iterator[types.Split]:
    """Yield `steps` contiguous, nearly equal parts of `examples`, in order.

    With fewer examples than steps, the parts hold one example each and start over at the end.
    """
    parts = min(steps, len(examples))
    bounds = np.linspace(0, len(examples), parts + 1).astype(int)
    for step in range(steps):
        yield examples[bounds[step % parts] : bounds[step % parts + 1]]


def micro_batches(rows: Sequence[contracts.Row], micro_rows: int) -> Iterator[contracts.MicroBatch]:
    """Yield batches of at most `micro_rows` rows that share a prefix."""
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row.request.prefix].append(row)
    for group in groups.values():
        # Equal questions next to each other: `pack` reads them once.
        group.sort(key=lambda row: (len(row.request.question), row.request.question))
        for start in range(0, len(group), micro_rows):
            yield pack(group[start : start + micro_rows])


def pack(rows: Sequence[contracts.Row]) -> contracts.MicroBatch:
    """Lay out rows of one prefix in a bucketed shape; a question they share is read once."""
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row.request.question].append(row)
    ordered = [row for group in groups.values() for row in group]
    completions = [[row.tokens for row in group] for group in groups.values()]
    inputs = packing.token_batch(rows[0].request.prefix, list(groups), completions, _BUCKETS)
    size = len(inputs.targets)
    behaviour, advantages = np.zeros(size, np.float32), np.zeros(size, np.float32)
    logprobs = np.concatenate([row.behaviour_logprobs for row in ordered])
    behaviour[: len(logprobs)] = logprobs
    repeats = [len(row.tokens) for row in ordered]
    advantages[: len(logprobs)] = np.repeat([row.advantage for row in ordered], repeats)
    mask = np.arange(size) < inputs.target_count
    return contracts.MicroBatch(inputs, inputs.targets, mask, behaviour, advantages)


def train_tokens(batches: Iterable[contracts.MicroBatch]) -> int:
    """Return how many tokens go through the update: a prefix once per batch, no padding."""
    return sum(
        int(batch.inputs.prefix_length)
        + int(np.count_nonzero(batch.inputs.rows.sequences != lm_batch.PADDING))
        for batch in batches
    )
