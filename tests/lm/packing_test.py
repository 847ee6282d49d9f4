"""Questions with their completions, packed into rows."""

from __future__ import annotations

import numpy as np
import pytest

from fastslow.lm import batch, packing

BUCKETS = batch.BatchBuckets(
    prefix=batch.Buckets(64),
    width=batch.Buckets(8),
    rows=batch.Buckets(1),
    targets=batch.Buckets(8),
)


def test_token_batch_puts_every_token_in_its_place():
    packed = packing.token_batch(
        [7, 8, 9], [[4], [1, 2, 3]], [[[15]], [[10, 11], [12, 13, 14]]], BUCKETS
    )
    assert packed.prefix.shape == (64,)
    assert packed.prefix[:4].tolist() == [7, 8, 9, 0]
    assert packed.prefix_length == 3
    assert all(leaf.dtype == np.int32 for leaf in [packed.prefix, *packed.rows, packed.targets])
    tokens, positions, sequences, branches = (part.tolist() for part in packed.rows)
    # The longest first; the last token of a completion is predicted, not read.
    assert tokens == [[1, 2, 3, 10, 12, 13, 4, 0]]
    assert positions == [[0, 1, 2, 3, 3, 4, 0, 0]]
    assert sequences == [[1, 1, 1, 1, 1, 1, 0, batch.PADDING]]
    trunk = batch.TRUNK
    assert branches[0][:7] == [trunk, trunk, trunk, 1, 2, 2, trunk]
    assert packed.target_count == 6
    assert packed.targets.tolist() == [15, 10, 11, 12, 13, 14, 0, 0]
    assert packed.predictors[:6].tolist() == [6, 2, 3, 2, 4, 5]


def test_token_batch_rejects_what_cannot_be_predicted():
    with pytest.raises(ValueError, match="a question has no tokens"):
        packing.token_batch([1], [[2], []], [[[3]], [[4]]])
    with pytest.raises(ValueError, match="2 questions but 1 lists"):
        packing.token_batch([1], [[2], [3]], [[[3]]])
    for nothing in ([], [[]]):
        with pytest.raises(ValueError, match="no completion, or an empty one"):
            packing.token_batch([1], [[2], [3]], [[[3]], nothing])


def test_sequences_stand_in_one_row_each_and_do_not_overlap():
    rng = np.random.default_rng(0)
    for count in (1, 7, 60):
        lengths = rng.integers(1, 90, count).tolist()
        layout = packing.place(lengths, batch.BUCKETS)
        taken = np.zeros(layout.size, bool)
        for start, length in zip(layout.starts, lengths, strict=True):
            assert start // layout.width == (start + length - 1) // layout.width
            assert not taken[start : start + length].any()
            taken[start : start + length] = True
        assert layout.rows == batch.BUCKETS.rows.fit(layout.rows)
        assert layout.width == batch.BUCKETS.width.fit(layout.width)


def test_little_of_many_sequences_is_padding():
    rng = np.random.default_rng(1)
    for low, high in ((15, 60), (60, 90), (20, 25)):
        lengths = rng.integers(low, high, 64).tolist()
        assert sum(lengths) > 0.8 * packing.place(lengths, batch.BUCKETS).size


def test_wide_rows_must_save_padding_to_be_worth_their_attention():
    assert packing.place([32] * 4, batch.BUCKETS)[:2] == (1, 128)
    assert packing.place([32] * 8, batch.BUCKETS)[:2] == (2, 128)  # not (1, 256)
    assert packing.place([80] * 4, batch.BUCKETS)[:2] == (2, 160)  # not (4, 128)
