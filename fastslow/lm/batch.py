"""Token sequences padded to bucketed shapes: a run compiles a bounded number of programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence, Sized
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

Array: TypeAlias = np.ndarray | jax.Array
Tokens: TypeAlias = Sequence[int]


class Rows(NamedTuple):
    """Tokens (R, T) int32 to run behind a prefix, and what sees what: earlier tokens only.

    A token sees those of its own sequence that are in the trunk or in its own branch, so that
    sequences share a row, and several completions one question (see `packing`).
    """

    tokens: Array
    positions: Array  # (R, T) int32, counted from the end of the prefix
    sequences: Array  # (R, T) int32; PADDING is seen by nothing
    branches: Array  # (R, T) int32; TRUNK is seen by the whole sequence


class TokenBatch(NamedTuple):
    """Rows that share one prefix, and what to predict in them (see `packing.token_batch`)."""

    prefix: Array  # (P,) int32, right-padded
    prefix_length: Array  # () int32
    rows: Rows  # (R, T)
    predictors: Array  # (N,) int32: index among all R * T tokens of the one that predicts a target
    targets: Array  # (N,) int32
    target_count: Array  # () int32: how many targets are real, the first ones


PADDING = -1
TRUNK = 0


def plain_rows(tokens: jax.Array, lengths: jax.Array) -> Rows:
    """Return rows that hold one sequence each, of `lengths` (R,), flush right in `tokens`."""
    start = tokens.shape[1] - lengths[:, None]
    index = jnp.arange(tokens.shape[1])[None]
    sequences = jnp.where(index >= start, 0, PADDING)
    return Rows(tokens, jnp.maximum(index - start, 0), sequences, jnp.full_like(sequences, TRUNK))


@dataclasses.dataclass(frozen=True)
class Buckets:
    """The sizes an axis may have: `steps` sizes per octave from `smallest`, then doubling for ever.

    Two steps per octave: 16, 24, 32, 48, 64, 96, ...; one: 16, 32, 64, ... At most
    1/steps of a padded axis (the part above `smallest`) is padding.
    """

    smallest: int
    steps: int = 1

    def fit(self, size: int) -> int:
        """Return the smallest bucket that holds `size`."""
        base = self.smallest
        while 2 * base < size:
            base *= 2
        sizes = (base + base * i // self.steps for i in range(self.steps + 1))
        return next(bucket for bucket in sizes if bucket >= size)

    def count(self, largest: int) -> int:
        """Return how many buckets sizes from 0 to `largest` can fall into."""
        return len({self.fit(size) for size in range(largest + 1)})


@dataclasses.dataclass(frozen=True)
class BatchBuckets:
    """The buckets of every padded axis."""

    prefix: Buckets = Buckets(64, steps=2)
    width: Buckets = Buckets(128, steps=4)  # of a packed row
    rows: Buckets = Buckets(1, steps=4)  # packed rows
    requests: Buckets = Buckets(16)  # that are decoded or scored together
    completion: Buckets = Buckets(8)
    targets: Buckets = Buckets(16)  # of a TokenBatch


BUCKETS = BatchBuckets()


def longest(sequences: Iterable[Sized]) -> int:
    """Return the length of the longest sequence, 0 if there is none."""
    return max(map(len, sequences), default=0)


def lengths(sequences: Sequence[Sized], rows: int) -> np.ndarray:
    """Return the lengths, int32 (rows,), 0 for missing rows."""
    counts = np.zeros(rows, np.int32)
    counts[: len(sequences)] = [len(sequence) for sequence in sequences]
    return counts


def pad_left(sequences: Sequence[Tokens], rows: int, width: int) -> np.ndarray:
    """Return the sequences flush right in int32 (rows, width), zeros elsewhere."""
    padded = np.zeros((rows, width), np.int32)
    for row, sequence in zip(padded, sequences, strict=False):
        row[width - len(sequence) :] = sequence
    return padded


def stacked(states: Sequence[np.ndarray], rows: int, width: int) -> np.ndarray:
    """Return states (n, D) as one float32 array (rows, width, D), zeros where there are none."""
    padded = np.zeros((rows, width, states[0].shape[-1]), np.float32)
    for row, own in zip(padded, states, strict=False):
        row[: len(own)] = own
    return padded


def pad_right(sequences: Sequence[Tokens], rows: int, width: int) -> np.ndarray:
    """Return the sequences flush left in int32 (rows, width), zeros elsewhere."""
    padded = np.zeros((rows, width), np.int32)
    for row, sequence in zip(padded, sequences, strict=False):
        row[: len(sequence)] = sequence
    return padded
