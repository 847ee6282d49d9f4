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


def test_plain_rows_count_positions_from_the_first_real_token():
    rows = batch.plain_rows(np.arange(8).reshape(2, 4), np.array([3, 0]))
    assert np.asarray(rows.positions).tolist() == [[0, 0, 1, 2], [0, 0, 0, 0]]
    assert np.asarray(rows.sequences).tolist() == [[-1, 0, 0, 0], [-1, -1, -1, -1]]
