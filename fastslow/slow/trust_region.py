"""Hold drift under a cap by shortening the way from the old weights to the new ones.

Both a step's change and a lesson's are held so: a trust region whose radius is a KL divergence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from fastslow import types
from fastslow.lm import engine as engine_lib
from fastslow.slow import contracts


class Capped(NamedTuple):
    """The share of the change that was kept, and the drift it leaves."""

    scale: float  # in [0, 1]; 0 when no scale that was tried keeps the cap
    drift: float  # nats per token, at `scale`
    uncapped: float  # nats per token, at scale 1
    evaluations: int


def hold(
    engine: engine_lib.Engine,
    bind: Callable[[types.PyTree], contracts.Variables],
    ends: tuple[types.PyTree, types.PyTree],
    rows: Sequence[contracts.Row],
    cap: float,
    evaluations: int,
) -> tuple[types.PyTree, Capped, types.Cost]:
    """Return the trainable between `ends` = (old, new) that keeps the cap, how, and what it cost.

    Drift is KL(after || before), exact over the vocabulary, averaged over the tokens of `rows`.
    """
    old, new = ends
    before, cost = read(engine, bind(old), rows)
    costs = [cost]

    def drift_at(scale: float) -> float:
        after, cost = read(engine, bind(between(old, new, scale)), rows)
        costs.append(cost)
        drift, _ = engine.divergence(after, before)
        return drift

    capped = largest_scale(drift_at, cap, evaluations)
    return between(old, new, capped.scale), capped, sum(costs, types.Cost())


def read(
    engine: engine_lib.Engine, variables: contracts.Variables, rows: Sequence[contracts.Row]
) -> tuple[engine_lib.Reading, types.Cost]:
    """Read the answers of the rows."""
    return engine.read(variables, [row.request for row in rows], [row.tokens for row in rows])


def sample(rows: Sequence[contracts.Row], count: int) -> list[contracts.Row]:
    """Return at most `count` of the rows, evenly spaced from first to last."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return [rows[place] for place in places]


def largest_scale(drift_at: Callable[[float], float], cap: float, evaluations: int) -> Capped:
    """Find a large scale in [0, 1] with drift_at(scale) <= cap in at most `evaluations` calls.

    Every guess aims at 90% of the cap as if drift were a power of the scale: first the square, as
    divergences are of small changes, then the power through the last two values. Where that leaves
    the bracket it bisects. It stops at 75% of the cap. A drift that is not finite is too large.
    """
    uncapped = drift_at(1.0)
    if uncapped <= cap:
        return Capped(1.0, uncapped, uncapped, 1)
    low, drift, high = 0.0, 0.0, 1.0
    scale, value, power, used = 1.0, uncapped, 2.0, 1
    while used < evaluations and drift < 0.75 * cap:
        last_scale, last_value = scale, value
        aimed = scale * (0.9 * cap / value) ** (1 / power) if _positive(value) else math.nan
        scale = aimed if low < aimed < high else (low + high) / 2
        value = drift_at(scale)
        used += 1
        if _positive(value, last_value):
            power = max(0.5, math.log(value / last_value) / math.log(scale / last_scale))
        if value <= cap:
            low, drift = scale, value
        else:
            high = scale
    return Capped(low, drift, uncapped, used)


def _positive(*values: float) -> bool:
    return all(0 < value < math.inf for value in values)


def between(old: types.PyTree, new: types.PyTree, scale: float) -> types.PyTree:
    """Return old + scale (new - old), and exactly `new` at scale 1."""
    if scale == 1.0:
        return new
    return jax.tree.map(lambda x, y: (x + scale * (y - x)).astype(x.dtype), old, new)
