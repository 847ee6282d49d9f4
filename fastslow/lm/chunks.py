"""Which requests run together: grouped by prefix, sorted by length, cut to bounded size."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from fastslow.lm import batch

# Padding in a cache is cheap, and programs are dear: questions and completions see the prefix in
# coarser buckets than it is read in, and decoding, whose program takes longest to compile, sees
# questions in coarser ones too; but finer than the prefix, since in every step each row reads the
# cache of its own question, padding and all.
_PREFIX_CACHE = batch.Buckets(256)
_QUESTION_CACHE = batch.Buckets(64, steps=2)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How requests become batches."""

    max_rows: int = 64
    max_tokens_at_once: int = 8192  # of questions with what stands behind them: bounds memory
    buckets: batch.BatchBuckets = batch.BUCKETS
    prefix_cache: batch.Buckets = _PREFIX_CACHE
    question_cache: batch.Buckets = _QUESTION_CACHE


class Group(NamedTuple):
    """All requests with one prefix, as chunks of their indices."""

    prefix: tuple[int, ...]
    chunks: list[list[int]]


def plan(
    prefixes: Sequence[tuple[int, ...]],
    questions: Sequence[tuple[int, ...]],
    lengths: Sequence[int],
    settings: Settings,
) -> list[Group]:
    """Return groups in order of first appearance, every index once.

    `lengths` are the tokens of each row; chunks go from long rows to short ones, and equal
    questions stand next to each other.
    """
    members: dict[tuple[int, ...], list[int]] = collections.defaultdict(list)
    for index, prefix in enumerate(prefixes):
        members[prefix].append(index)
    return [
        Group(
            prefix,
            _cut(
                sorted(indices, key=lambda i: (-lengths[i], questions[i])),
                lengths,
                settings,
            ),
        )
        for prefix, indices in members.items()
    ]


def _cut(indices: list[int], lengths: Sequence[int], settings: Settings) -> list[list[int]]:
    """Cut indices into chunks that respect both limits (at least one row)."""
    chunks: list[list[int]] = []
    room = 0
    for index in indices:
        room -= lengths[index]
        if not chunks or room < 0 or len(chunks[-1]) == settings.max_rows:
            chunks.append([])
            room = settings.max_tokens_at_once - lengths[index]
        chunks[-1].append(index)
    return chunks
