"""Verdicts by the interval of the mean."""

import math

import pytest

from experiments.evidence import judging


def judged(values, relation, bound):
    part = judging.Part("it", lambda found: found, relation, bound)
    return judging.judge(part, {(i, 0): v for i, v in enumerate(values)})


@pytest.mark.parametrize(
    ("values", "relation", "bound", "verdict"),
    [
        ((0.5, 0.6, 0.55), "at least", 0.3, "holds"),
        ((0.5, 0.6, 0.55), "at least", 0.9, "fails"),
        ((0.5, 0.6, 0.55), "at least", 0.55, "open"),
        ((0.5, 0.6, 0.55), "at most", 0.9, "holds"),
        ((0.5, 0.6, 0.55), "at most", 0.3, "fails"),
        ((0.5, 0.6, 0.55), "at most", 0.5, "open"),
        ((0.5,), "at least", 0.3, "open"),  # one seed decides nothing
        ((0.5, math.inf, 0.5), "at most", 0.9, "fails"),  # it never got there once
        ((math.nan, 0.5, 0.6), "at least", 3.0, "fails"),
        ((), "at least", 0.0, "open"),
        ((1.0, 1.0, 1.0), "at least", 0.8, "holds"),
        ((0.5, 0.6, 0.55), "above", 0.3, "holds"),
        ((0.5, 0.6, 0.55), "below", 0.3, "fails"),
        ((0.5, 0.6, 0.55), "below", 0.55, "open"),
        ((0.0, 0.0, 0.0), "at most", 0.0, "holds"),
        ((0.0, 0.0, 0.0), "below", 0.0, "fails"),  # where nobody forgets, nobody forgets less
        ((0.0, 0.0, 0.0), "above", 0.0, "fails"),
    ],
)
def test_verdicts(values, relation, bound, verdict):
    assert judged(values, relation, bound).verdict == verdict


def test_the_estimate_is_that_of_students_t():
    estimate = judged((1.0, 2.0, 3.0), "at least", 0.0).estimate
    half = 4.302652729911275 / math.sqrt(3)  # t quantile with 2 degrees, deviation 1
    assert (estimate.size, estimate.mean) == (3, 2.0)
    assert estimate.low == pytest.approx(2 - half)
    assert estimate.high == pytest.approx(2 + half)


def test_a_claim_holds_only_if_every_part_does():
    holds, fails, undecided = (
        judged(values, "at least", 1.0) for values in ((2.0, 2.0), (0.0, 0.0), (0.0, 2.0))
    )
    assert judging.together([holds, holds]) == "holds"
    assert judging.together([holds, undecided]) == "open"
    assert judging.together([undecided, fails]) == "fails"


def test_symmetric_ratios_say_the_same_of_two_methods_whichever_is_the_baseline():
    ratios = {(0, 0): 0.5, (1, 0): 0.8, (2, 0): 4.0}

    def estimate(values):
        part = judging.Part("x", lambda found: values, "at most", 1.0, symmetric=True)
        return judging.judge(part, {}).estimate

    ours = estimate(ratios)
    theirs = estimate({key: 1 / value for key, value in ratios.items()})
    assert ours.mean == pytest.approx(1.6 ** (1 / 3))
    assert theirs.mean == pytest.approx(1 / ours.mean)
    assert (theirs.low, theirs.high) == pytest.approx((1 / ours.high, 1 / ours.low))
    assert ours.low > 0
