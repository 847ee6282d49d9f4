"""One step of the slow channel: from gathered rows to new weights, or to what went wrong.

The cap on a step is a trust region: KL grows about with the square of a step's length, so a step
beyond the cap is shortened by the square root of the excess, and measured again. It is measured
where it is cheap, on the first micro-batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from fastslow import types
from fastslow.slow import batching, contracts, drift_cap, update
from fastslow.slow import settings as settings_lib

_TOLERANCE = 1.2  # above the cap
_SHORTENINGS = 4  # of one step, at most


class State(NamedTuple):
    """Everything the slow channel learns: a pytree of arrays. The base parameters are not in it."""

    trainable: types.PyTree
    opt_state: types.PyTree
    anchors: dict[str, types.PyTree]
    steps: jax.Array  # () int32, optimiser steps taken so far


class Step(NamedTuple):
    """What one optimiser step did; `problem` says why its result must not be used, if so."""

    state: State
    batches: tuple[contracts.MicroBatch, ...]
    metrics: dict[str, float]
    problem: str | None


class Gradient(NamedTuple):
    """A gradient with what it was taken over."""

    grads: types.PyTree
    batches: tuple[contracts.MicroBatch, ...]
    metrics: list[update.Metrics]  # of every micro-batch


def take(
    updater: update.Updater,
    params: types.PyTree,
    state: State,
    rows: tuple[contracts.Row, ...],
    tokens: int,
    settings: settings_lib.Settings,
) -> Step:
    """Take one optimiser step along `gradient`, shortened where it moves the policy too far."""
    grads, batches, metrics = gradient(updater, params, state, rows, tokens, settings)
    trainable, opt_state, part = updater.apply(
        grads, state.trainable, state.opt_state, state.anchors
    )
    totals = update.total([*metrics, part])
    if settings.step_cap is not None:
        batch, ends = batches[0], (state.trainable, trainable)
        before = updater.logits(params, state.trainable, batch)
        drift_of = lambda end: float(updater.divergence(params, end, batch, before))
        trainable, facts = shorten(ends, drift_of, settings.step_cap)
        totals |= facts
    after = state._replace(trainable=trainable, opt_state=opt_state, steps=state.steps + 1)
    return Step(after, batches, totals, problem_in(totals, settings))


def shorten(
    ends: tuple[types.PyTree, types.PyTree],
    drift_of: Callable[[types.PyTree], float],
    cap: float,
) -> tuple[types.PyTree, dict[str, float]]:
    """Return the way from `ends` = (old, new) shortened until its drift is the cap or about it.

    Facts: `step_drift`, of what is returned, nats per token, and `step_scale`, the share kept.
    """
    old, new = ends
    scale, end = 1.0, new
    drift = drift_of(end)
    for _ in range(_SHORTENINGS):
        if not drift > _TOLERANCE * cap:  # NaN is reported as it is
            break
        scale *= math.sqrt(cap / drift)
        end = drift_cap.between(old, new, scale)
        drift = drift_of(end)
    return end, {"step_drift": drift, "step_scale": scale}


def gradient(
    updater: update.Updater,
    params: types.PyTree,
    state: State,
    rows: tuple[contracts.Row, ...],
    tokens: int,
    settings: settings_lib.Settings,
) -> Gradient:
    """Return the gradient of the objective's mean over a step's `tokens`, zero outside of `rows`.

    `tokens` counts silent answers too: were the mean over `rows` (not empty) alone, one informative
    group would move the weights as far as a whole batch of them, in a noisier direction.
    """
    batches = tuple(batching.micro_batches(rows, settings.micro_rows))
    grads, metrics = update.zeros(state.trainable), []
    for batch in batches:
        grads, part = updater.accumulate(
            grads, params, state.trainable, state.anchors, batch, np.float32(tokens)
        )
        metrics.append(part)
    return Gradient(grads, batches, metrics)


def problem_in(metrics: Mapping[str, float], settings: settings_lib.Settings) -> str | None:
    """Say what makes a step unusable: a value that is not finite, or above its limit."""
    for name in ("loss", "grad_norm", "update_norm", "step_drift"):
        if not math.isfinite(metrics.get(name, 0.0)):
            return f"{name} is {metrics[name]}"
    limits = {"loss": settings.max_loss, "grad_norm": settings.max_grad_norm}
    for name, limit in limits.items():
        if metrics[name] > limit:
            return f"{name} {metrics[name]:.3g} exceeds {limit:g}"
    return None
