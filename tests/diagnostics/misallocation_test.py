"""Where the reward sits, by hand."""

import math

import pytest

from fastslow.diagnostics import misallocation


def corners(base_seed, base_evolved, trained_seed, trained_evolved):
    return {
        "base_seed": base_seed,
        "base_evolved": base_evolved,
        "trained_seed": trained_seed,
        "trained_evolved": trained_evolved,
    }


def test_part_of_the_weights_gain_was_to_be_had_from_the_prompt():
    found = misallocation.allocation(corners(0.1, 0.3, 0.6, 0.7), 0.08)
    expected = (0.5, 0.2, 0.4, 0.2, 0.2 / 0.5, 0.08, 0.08 / 0.4)
    assert found == pytest.approx(expected)


def test_prompt_that_gives_more_makes_all_of_it_misallocated():
    assert misallocation.allocation(corners(0.0, 0.6, 0.4, 0.7), 0.1).misallocated == 1


def test_prompt_that_gives_nothing_or_harms_makes_none_of_it_misallocated():
    assert misallocation.allocation(corners(0.2, 0.2, 0.5, 0.5), 0.1).misallocated == 0
    assert misallocation.allocation(corners(0.2, 0.1, 0.5, 0.5), 0.1).misallocated == 0


@pytest.mark.parametrize("trained_seed", [0.2, 0.1])
def test_without_a_gain_of_the_weights_there_is_no_share_of_it(trained_seed):
    found = misallocation.allocation(corners(0.2, 0.5, trained_seed, 0.6), 0.05)
    assert math.isnan(found.misallocated)
    assert math.isnan(found.covered)
    assert found.drift_per_reward == pytest.approx(0.5)


@pytest.mark.parametrize("trained_evolved", [0.5, 0.4])
def test_drift_that_bought_nothing_has_no_price(trained_evolved):
    found = misallocation.allocation(corners(0.0, 0.5, 0.5, trained_evolved), 0.05)
    assert math.isnan(found.drift_per_reward)
    assert found.drift == 0.05
    assert found.misallocated == 1


def test_unknown_figures_stay_unknown():
    nan = math.nan
    assert math.isnan(misallocation.allocation(corners(0.0, nan, 0.5, 0.5), 0.1).misallocated)
    assert math.isnan(misallocation.allocation(corners(nan, 0.1, 0.5, 0.5), 0.1).misallocated)
    found = misallocation.allocation(corners(0.0, 0.1, 0.5, 0.5), None)
    assert math.isnan(found.drift)
    assert math.isnan(found.drift_per_reward)
    assert found.misallocated == pytest.approx(0.2)


def test_drift_is_that_from_the_base_with_the_prompt():
    drift = {
        "a": {
            "with_prompt": {"trained_base": 0.2, "base_trained": 9.0},
            "without_prompt": {"trained_base": 9.0, "base_trained": 9.0},
        }
    }
    found = misallocation.allocations(
        {"a": corners(0, 0, 0.5, 0.5), "b": corners(0, 0, 1, 1)}, drift
    )
    assert found["a"].drift == 0.2
    assert math.isnan(found["b"].drift)


def test_average_is_over_what_is_known_and_weighs_shares_by_what_they_are_of():
    half = misallocation.allocation(corners(0.0, 0.2, 0.4, 0.6), 0.1)
    tiny = misallocation.allocation(corners(0.0, 0.9, 0.1, 0.9), 0.1)
    none = misallocation.allocation(corners(0.5, 0.5, 0.5, 0.5), 0.4)
    found = misallocation.average({"a": half, "b": tiny, "c": none})
    assert found.weights == pytest.approx(0.5 / 3)
    assert found.covered == pytest.approx(0.15)  # of a and b
    assert found.misallocated == pytest.approx(0.3 / 0.5)
    assert found.drift == pytest.approx(0.2)
    assert found.drift_per_reward == pytest.approx(0.6 / 0.4)  # that of b and c bought nothing
    assert math.isnan(misallocation.average({"c": none}).misallocated)
    assert math.isnan(misallocation.average({"c": none}).drift_per_reward)
