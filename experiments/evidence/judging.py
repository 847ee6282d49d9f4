"""From numbers per pair of seeds to a verdict, by the 95% interval of their mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from experiments.evidence import effects
from fastslow.metrics import statistics

Verdict: TypeAlias = Literal["holds", "fails", "open"]
Relation: TypeAlias = Literal["at least", "at most", "above", "below"]


class Part(NamedTuple):
    """One measurable part of a claim: how `effect` stands to `bound`.

    "above" and "below" are strict: a difference that is zero in every run is not better. Ratios
    that are `symmetric`, as likely to be x as 1 / x where there is no effect, are averaged by their
    logarithms: else either of two methods may come out as the larger one.
    """

    what: str
    effect: effects.Effect
    relation: Relation
    bound: float
    symmetric: bool = False


class Judged(NamedTuple):
    """What came of a part."""

    what: str
    relation: Relation
    bound: float
    values: Mapping[effects.Seeds, float]
    estimate: statistics.Estimate
    verdict: Verdict


def judge(part: Part, found: effects.Found) -> Judged:
    """Estimate the effect and compare its interval with the bound."""
    values = part.effect(found)
    known = statistics.by_seed(values)
    if part.symmetric:
        estimate = _of_ratios(known)
    elif np.isfinite(known).all():
        estimate = statistics.estimate(known, statistics.t_interval)
    else:  # some pair never got there: no mean, and no interval
        nan = float("nan")
        estimate = statistics.Estimate(len(known), float(known.sum()), nan, nan, nan)
    verdict = verdict_of(estimate, part.relation, part.bound)
    return Judged(part.what, part.relation, part.bound, values, estimate, verdict)


def _of_ratios(ratios: np.ndarray) -> statistics.Estimate:
    """Return the geometric mean of positive ratios (n,) with its interval and standard error."""
    found = statistics.estimate(np.log(ratios), statistics.t_interval)
    mean, low, high = (math.exp(value) for value in (found.mean, found.low, found.high))
    return statistics.Estimate(found.size, mean, mean * found.standard_error, low, high)


def verdict_of(estimate: statistics.Estimate, relation: Relation, bound: float) -> Verdict:
    """Return "holds" or "fails" if the whole interval is on that side of the bound, else "open".

    An infinite mean fails where the claim is an upper bound; one seed decides nothing.
    """
    low, high = estimate.low - bound, estimate.high - bound
    mean = estimate.mean
    if relation in ("at most", "below"):
        low, high, mean = -high, -low, -mean
    if math.isinf(mean):
        return "holds" if mean > 0 else "fails"
    strict = relation in ("above", "below")
    if low > 0 or (low == 0 and not strict):
        return "holds"
    if high < 0 or (high == 0 and strict):
        return "fails"
    return "open"


def together(parts: list[Judged]) -> Verdict:
    """Return the verdict on a claim: it holds if every part does, and fails if any part does."""
    verdicts = {part.verdict for part in parts}
    if "fails" in verdicts:
        return "fails"
    return "holds" if verdicts == {"holds"} else "open"
