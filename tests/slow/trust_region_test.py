"""The search for the largest step that keeps the cap."""

import math

import numpy as np
import pytest

from fastslow.slow import trust_region
from tests.slow import toy


def counted(function):
    calls = []

    def drift_at(scale):
        calls.append(scale)
        return function(scale)

    return drift_at, calls


def test_a_small_drift_is_left_alone_after_one_evaluation():
    drift_at, calls = counted(lambda s: 0.3 * s**2)
    assert trust_region.largest_scale(drift_at, 0.5, 8) == trust_region.Capped(1.0, 0.3, 0.3, 1)
    assert calls == [1.0]


@pytest.mark.parametrize(
    "function",
    [lambda s: 7 * s**2, lambda s: 3 * s, lambda s: 9 * s**4, lambda s: math.expm1(4 * s**2)],
)
def test_a_large_drift_is_brought_close_below_the_cap(function):
    drift_at, calls = counted(function)
    capped = trust_region.largest_scale(drift_at, 0.5, 8)
    assert capped.evaluations == len(calls) <= 8
    assert function(capped.scale) == capped.drift
    assert 0.75 * 0.5 <= capped.drift <= 0.5
    assert capped.evaluations <= 4
    assert capped.uncapped == function(1.0)


def test_a_quadratic_drift_takes_two_evaluations():
    capped = trust_region.largest_scale(lambda s: 50 * s**2, 0.5, 8)
    assert capped.evaluations == 2


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_drift_that_is_not_finite_is_too_large(bad):
    capped = trust_region.largest_scale(lambda s: bad if s > 0.3 else s, 0.5, 8)
    assert 0 < capped.scale <= 0.3
    assert trust_region.largest_scale(lambda s: bad, 0.5, 8).scale == 0.0


def test_evaluations_are_bounded_when_nothing_fits():
    drift_at, calls = counted(lambda s: 1.0)
    capped = trust_region.largest_scale(drift_at, 0.5, 5)
    assert (capped.scale, capped.drift, len(calls)) == (0.0, 0.0, 5)


def test_between_is_linear_and_exact_at_one():
    old = {"w": np.zeros(3, np.float32)}
    new = {"w": np.array([1.0, 2.0, 1e-8], np.float32)}
    np.testing.assert_allclose(trust_region.between(old, new, 0.25)["w"], 0.25 * new["w"])
    assert trust_region.between(old, new, 1.0) is new


def test_sample_spans_the_rows_without_repeats():
    rows = toy.rows(0, count=10)
    assert trust_region.sample(rows, 3) == [rows[0], rows[4], rows[9]]
    assert trust_region.sample(rows, 99) == list(rows)
