"""Means over seeds, with what is known of their error: standard error and 95% interval.

A seed is one observation, see `by_seed`. Intervals are per quantity; nothing here corrects for
looking at several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy import special

CONFIDENCE = 0.95
RESAMPLES = 10_000
_SEED = 0  # the same values give the same bootstrap interval


Seeds: TypeAlias = tuple[int, int]  # seed, order seed


class Estimate(NamedTuple):
    """A mean over `size` observations; what cannot be known of so few is NaN."""

    size: int
    mean: float
    standard_error: float
    low: float
    high: float


Interval = Callable[[np.ndarray], tuple[float, float]]


def estimate(values: Sequence[float] | np.ndarray, interval: Interval) -> Estimate:
    """Return mean, standard error and interval of the values that are not NaN.

    One value has a mean only; none has not even that.
    """
    observed = np.asarray(values, dtype=np.float64)
    observed = observed[~np.isnan(observed)]
    nan = float("nan")
    if not observed.size:
        return Estimate(0, nan, nan, nan, nan)
    mean = float(observed.mean())
    if observed.size == 1:
        return Estimate(1, mean, nan, nan, nan)
    return Estimate(observed.size, mean, standard_error(observed), *interval(observed))


def standard_error(values: np.ndarray) -> float:
    """Return s / sqrt(n) of values (n,), n > 1, with s the sample standard deviation (n - 1)."""
    if not np.ptp(values):
        return 0.0  # exactly, although the mean of equal values may be rounded
    return float(values.std(ddof=1) / np.sqrt(values.size))


def t_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95% interval of the mean of values (n,), n > 1, by Student's t with n - 1 degrees.

    Exact for normal values; symmetric, so it may leave [0, 1] for scores.
    """
    half = t_quantile(values.size - 1) * standard_error(values)
    return float(values.mean() - half), float(values.mean() + half)


def t_quantile(degrees: int) -> float:
    """Return the 97.5% quantile of Student's t, the factor of a two-sided 95% interval."""
    return float(special.stdtrit(degrees, (1 + CONFIDENCE) / 2))


def bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95% percentile bootstrap interval of the mean of values (n,), n > 1.

    Makes no assumption on the distribution, and is too narrow for fewer than about ten values
    (for two it is their range). Source: Efron and Tibshirani 1993, section 13.3.
    """
    rng = np.random.default_rng(_SEED)
    means = rng.choice(values, (RESAMPLES, values.size)).mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def by_seed(values: Mapping[Seeds, float]) -> np.ndarray:
    """Return the observations in values of runs: one per seed, the mean over its orders.

    Orders of one seed share its data, start and demonstrations: counted one by one, their interval
    would be too narrow for what another seed would do. With one seed only, orders are all there is,
    and an observation each. NaN is left out.
    """
    known = {seeds: value for seeds, value in values.items() if not np.isnan(value)}
    seeds = sorted({seed for seed, _ in known})
    if len(seeds) == 1:
        return np.array([known[key] for key in sorted(known)])
    return np.array([np.mean([known[key] for key in sorted(known) if key[0] == s]) for s in seeds])


def paired_differences(
    values: Mapping[Seeds, float], baseline: Mapping[Seeds, float]
) -> dict[Seeds, float]:
    """Return value - baseline for every pair of seeds that both have."""
    return {key: values[key] - baseline[key] for key in sorted({*values} & {*baseline})}


INTERVALS: Mapping[str, Interval] = {"t": t_interval, "bootstrap": bootstrap_interval}
NAMES: Mapping[str, str] = {
    "t": "Student's t",
    "bootstrap": f"percentile bootstrap with {RESAMPLES:,} resamples",
}
