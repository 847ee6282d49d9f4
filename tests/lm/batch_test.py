"""Padding to bucketed shapes."""

from __future__ import annotations

import numpy as np
import pytest

from fastslow.lm import batch


def test_buckets_per_octave():
    buckets = batch.Buckets(16, steps=2)
    sizes = sorted({buckets.fit(size) for size in range(130)})
    assert sizes == [16, 24, 32, 48, 64, 96, 128, 192]
    assert [batch.Buckets(4).fit(size) for size in (0, 1, 4, 5, 8, 9, 64, 65)] == [
        *(4, 4, 4, 8, 8, 16, 64, 128)
    ]


@pytest.mark.parametrize("buckets", [batch.Buckets(16, 1), batch.Buckets(16, 4)])
def test_buckets_hold_what_they_fit_without_wasting_more_than_promised(buckets):
    for size in range(16, 3000):
        fitted = buckets.fit(size)
        assert size <= fitted
        assert fitted - size < size / buckets.steps
        assert buckets.fit(fitted) == fitted
    assert buckets.count(3000) == len({buckets.fit(size) for size in range(3001)})
    assert buckets.count(3000) <= 1 + buckets.steps * np.ceil(np.log2(3000 / 16))


def test_pack_puts_every_token_in_its_place():
    buckets = batch.BatchBuckets(*(batch.Buckets(size) for size in (64, 16, 8, 4)))
    packed = batch.pack([7, 8, 9], [[1, 2], [3], [4, 5, 6]], [[10], [11, 12], []], buckets)
    assert packed.prefix.shape == (64,)
    assert packed.question.shape == (4, 16)
    assert packed.completion.shape == (4, 8)
    assert all(np.asarray(leaf).dtype == np.int32 for leaf in packed)
    assert packed.prefix[:3].tolist() == [7, 8, 9]
    assert packed.prefix_length == 3
    assert packed.question[:, -3:].tolist() == [[0, 1, 2], [0, 0, 3], [4, 5, 6], [0, 0, 0]]
    assert packed.completion[:, :2].tolist() == [[10, 0], [11, 12], [0, 0], [0, 0]]
    assert packed.question_length.tolist() == [2, 1, 3, 0]
    assert packed.completion_length.tolist() == [1, 2, 0, 0]
    assert packed.question[:, :-3].sum() == packed.completion[:, 2:].sum() == 0


def test_pack_rejects_what_cannot_be_predicted():
    with pytest.raises(ValueError, match="no tokens"):
        batch.pack([1], [[2], []], [[3], [4]])
    with pytest.raises(ValueError, match="2 questions but 1 completions"):
        batch.pack([1], [[2], [3]], [[3]])


def test_plain_rows_count_positions_from_the_first_real_token():
    rows = batch.plain_rows(np.arange(8).reshape(2, 4), np.array([3, 0]))
    assert np.asarray(rows.positions).tolist() == [[0, 0, 1, 2], [0, 0, 0, 0]]
    assert np.asarray(rows.segments).tolist() == [[-1, 0, 0, 0], [-1, -1, -1, -1]]
