"""Several completions behind one question, laid out as one row."""

from __future__ import annotations

import numpy as np
import pytest

from fastslow.lm import batch, branches

BUCKETS = batch.BatchBuckets(*(batch.Buckets(size) for size in (64, 8, 8, 4)))


def test_pack_puts_every_token_in_its_place():
    packed = branches.pack([7, 8, 9], [[1, 2, 3], [4]], [[[10, 11], [12, 13, 14]], [[15]]], BUCKETS)
    assert packed.prefix.shape == (64,)
    assert packed.prefix[:4].tolist() == [7, 8, 9, 0]
    assert packed.prefix_length == 3
    assert all(leaf.dtype == np.int32 for leaf in [packed.prefix, *packed.rows, packed.targets])
    tokens, positions, segments = packed.rows
    assert tokens.tolist() == [
        [1, 2, 3, 10, 12, 13, 0, 0],  # the last token of a completion is predicted, not read
        [0, 0, 4, 0, 0, 0, 0, 0],
        *[[0] * 8] * 2,
    ]
    assert positions[0, :6].tolist() == [0, 1, 2, 3, 3, 4]
    assert positions[1, 2] == 0
    trunk, nothing = batch.TRUNK, batch.PADDING
    assert segments.tolist() == [
        [*[trunk] * 3, 1, 2, 2, *[nothing] * 2],
        [*[nothing] * 2, trunk, *[nothing] * 5],
        *[[nothing] * 8] * 2,
    ]
    assert packed.targets[:, :5].tolist() == [[10, 11, 12, 13, 14], [15, *[0] * 4], *[[0] * 5] * 2]
    assert packed.targets.shape == (4, 8)
    assert packed.predictors[0, :5].tolist() == [2, 3, 2, 4, 5]
    assert packed.predictors[1, 0] == 2
    assert packed.lengths.tolist() == [5, 1, 0, 0]


def test_pack_rejects_what_cannot_be_predicted():
    with pytest.raises(ValueError, match="a question has no tokens"):
        branches.pack([1], [[2], []], [[[3]], [[4]]])
    with pytest.raises(ValueError, match="2 questions but 1 lists"):
        branches.pack([1], [[2], [3]], [[[3]]])
    for nothing in ([], [[]]):
        with pytest.raises(ValueError, match="no completion, or an empty one"):
            branches.pack([1], [[2], [3]], [[[3]], nothing])
