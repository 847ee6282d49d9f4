"""Formulas on matrices and units, by hand."""

import math

import numpy as np
import pytest

from fastslow.diagnostics import spectra


def test_effective_rank_of_equal_values_is_their_number():
    assert spectra.effective_rank(np.array([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3)
    assert spectra.effective_rank(np.array([7.0, 0.0])) == pytest.approx(1)


def test_effective_rank_is_exp_of_the_entropy_of_shares():
    # shares 3/4 and 1/4: entropy 3/4 ln(4/3) + 1/4 ln 4
    expected = math.exp(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    assert spectra.effective_rank(np.array([3.0, 1.0])) == pytest.approx(expected)
    assert spectra.effective_rank(np.array([300.0, 100.0])) == pytest.approx(expected)


def test_zero_has_no_rank():
    assert math.isnan(spectra.effective_rank(np.zeros(3)))


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
def test_singular_values_are_those_of_numpy(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    expected = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(spectra.singular_values(matrix), expected, rtol=1e-7)


def test_low_rank_is_not_blurred_by_rounding():
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(200, 3)) @ rng.normal(size=(3, 150))).astype(np.float32)
    exact = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)[:3]
    found = spectra.effective_rank(spectra.singular_values(matrix))
    assert found == pytest.approx(spectra.effective_rank(exact), rel=1e-3)


def test_dormant_units_are_those_far_below_the_mean_of_their_layer():
    activity = np.array([0.0, 0.05, 0.1, 1.0, 2.85])  # mean 0.8
    assert spectra.dormant_share(activity, 0.0) == pytest.approx(1 / 5)
    assert spectra.dormant_share(activity, 0.1) == pytest.approx(2 / 5)  # up to 0.08
    assert spectra.dormant_share(activity, 0.125) == pytest.approx(3 / 5)  # 0.1 itself counts
    assert spectra.dormant_share(100 * activity, 0.1) == pytest.approx(2 / 5)


def test_silent_layer_is_dormant():
    assert spectra.dormant_share(np.zeros(4), 0.1) == 1
