import math

import numpy as np
import pytest

from fastslow.metrics import statistics

NAN = float("nan")


@pytest.mark.parametrize(
    ("degrees", "quantile"),  # any printed table of Student's t, column 0.975
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (29, 2.045), (100_000, 1.960)],
)
def test_the_quantiles_are_the_published_ones(degrees, quantile):
    assert statistics.t_quantile(degrees) == pytest.approx(quantile, abs=5e-4)


def test_a_t_interval_worked_by_hand():
    """Of 1, 2, 3: mean 2, s = 1, s / sqrt(3) = 0.57735, times 4.30265 = 2.48414."""
    found = statistics.estimate([1, 2, 3], statistics.t_interval)
    assert found.size == 3
    assert found.mean == 2
    assert found.standard_error == pytest.approx(0.57735, abs=1e-5)
    assert (found.low, found.high) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-5)


def test_what_is_nan_is_no_observation():
    whole = statistics.estimate([0.2, 0.6], statistics.t_interval)
    assert statistics.estimate([NAN, 0.2, NAN, 0.6], statistics.t_interval) == whole
    assert whole.size == 2


@pytest.mark.parametrize("interval", statistics.INTERVALS.values())
def test_one_value_has_no_interval_and_none_has_no_mean(interval):
    one = statistics.estimate([0.5], interval)
    assert one[:2] == (1, 0.5)
    assert all(map(math.isnan, one[2:]))
    none = statistics.estimate([NAN], interval)
    assert none.size == 0
    assert all(map(math.isnan, none[1:]))


@pytest.mark.parametrize("interval", statistics.INTERVALS.values())
def test_equal_values_leave_no_doubt(interval):
    assert statistics.estimate([0.25] * 4, interval)[1:] == (0.25, 0, 0.25, 0.25)
    rounded = statistics.estimate([0.1] * 3, interval)  # their mean is not quite 0.1
    assert rounded.standard_error == 0
    assert rounded.low == rounded.high == rounded.mean


def test_the_bootstrap_interval_of_two_values_is_their_range():
    """A resample is (a, a) a quarter of the time, so both ends are beyond the 2.5% quantiles."""
    assert statistics.bootstrap_interval(np.array([0.0, 1.0])) == (0.0, 1.0)


def test_the_bootstrap_agrees_with_t_for_many_values_and_repeats_itself():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = statistics.bootstrap_interval(values)
    assert found == pytest.approx(statistics.t_interval(values), abs=0.02)
    assert found == statistics.bootstrap_interval(values)


@pytest.mark.parametrize("size", [3, 10])
def test_the_t_interval_covers_the_truth_as_often_as_it_says(size):
    samples = np.random.default_rng(1).normal(5.0, 1.0, (4000, size))
    bounds = np.array([statistics.t_interval(sample) for sample in samples])
    covered = np.mean((bounds[:, 0] <= 5) & (bounds[:, 1] >= 5))
    assert covered == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors of 4000 draws


def test_differences_pair_what_has_the_same_seed_and_order():
    values = {(0, 0): 0.5, (1, 0): 0.7, (2, 0): 0.9}
    baseline = {(1, 0): 0.4, (0, 0): 0.3, (0, 1): 0.0}
    found = statistics.paired_differences(values, baseline)
    assert found == pytest.approx({(0, 0): 0.2, (1, 0): 0.3})
    assert statistics.paired_differences(values, {}) == {}


def test_orders_of_one_seed_are_one_observation_and_all_there_is_for_one_seed():
    values = {(1, 0): 0.5, (0, 1): 0.4, (0, 0): 0.2, (0, 2): NAN, (2, 0): NAN}
    np.testing.assert_allclose(statistics.by_seed(values), [0.3, 0.5])
    one = {(3, 1): 0.4, (3, 0): 0.2, (3, 2): NAN}
    np.testing.assert_allclose(statistics.by_seed(one), [0.2, 0.4])
    assert statistics.by_seed({}).size == 0


def test_an_interval_over_seeds_covers_what_the_next_seed_does_and_one_over_runs_does_not():
    rng, inside = np.random.default_rng(0), {"seeds": 0, "runs": 0}
    for _ in range(400):
        of_seed, noise = rng.normal(0, 0.1, 5), rng.normal(0, 0.03, (5, 3))
        values = {(s, o): of_seed[s] + noise[s, o] for s in range(5) for o in range(3)}
        for name, observed in (
            ("seeds", statistics.by_seed(values)),
            ("runs", np.array([*values.values()])),
        ):
            low, high = statistics.t_interval(observed)
            inside[name] += low <= 0 <= high
    assert 0.92 < inside["seeds"] / 400 < 0.98
    assert inside["runs"] / 400 < 0.8
