"""One step of the slow channel: from gathered rows to new weights, or to what went wrong.

The cap on a step is a trust region, measured where it is cheap: on the first micro-batch, whose
logits under the old weights the gradient needed anyway.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from fastslow import types
from fastslow.slow import batching, contracts, trust_region, update
from fastslow.slow import settings as settings_lib


class State(NamedTuple):
    """Everything the slow channel learns: a pytree of arrays. The base parameters are not in it."""

    trainable: types.PyTree
    opt_state: types.PyTree
    anchors: dict[str, types.PyTree]
    steps: jax.Array  # () int32, optimiser steps taken so far


class Update(NamedTuple):
    """What an optimiser step did to the weights, in numbers."""

    metrics: dict[str, float]  # loss, penalties, statistics; norms of gradient and whole update
    capped: trust_region.Capped | None  # None: the step has no cap

    @property
    def share(self) -> float:
        """How much of the update the step cap left, in [0, 1]."""
        return 1.0 if self.capped is None else self.capped.scale

    @property
    def held(self) -> bool:
        """Whether the step cap left nothing of the update."""
        return self.share == 0

    @property
    def moved(self) -> bool:
        """Whether the weights changed."""
        return self.metrics["update_norm"] > 0 and not self.held


class Step(NamedTuple):
    """One optimiser step; `problem` says why its result must not be used, if so."""

    state: State
    batches: tuple[contracts.MicroBatch, ...]
    update: Update
    problem: str | None


class Gradient(NamedTuple):
    """A gradient with what it was taken over."""

    grads: types.PyTree
    logits: jax.Array  # (N, V), of the first micro-batch
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
    grads, logits, batches, metrics = gradient(updater, params, state, rows, tokens, settings)
    trainable, opt_state, part = updater.apply(
        grads, state.trainable, state.opt_state, state.anchors
    )
    totals, capped = update.total([*metrics, part]), None
    if settings.step_cap:
        between = functools.partial(trust_region.between, state.trainable, trainable)
        capped = trust_region.largest_scale(
            lambda scale: float(updater.divergence(params, between(scale), batches[0], logits)),
            settings.step_cap,
            settings.drift_evaluations,
        )
        trainable = between(capped.scale)
    after = state._replace(trainable=trainable, opt_state=opt_state, steps=state.steps + 1)
    return Step(after, batches, Update(totals, capped), problem_in(totals, settings))


def gradient(
    updater: update.Updater,
    params: types.PyTree,
    state: State,
    rows: tuple[contracts.Row, ...],
    tokens: int,
    settings: settings_lib.Settings,
) -> Gradient:
    """Return the gradient of the mean loss over a step's `tokens`, zero outside of `rows`.

    `tokens` counts silent answers too: were the mean over informative ones alone, one such group
    would move the weights as far as a whole batch of them, in a noisier direction. `rows` (not
    empty) may leave silent answers out where no anchor looks at outputs: their share is zero.
    """
    batches = tuple(batching.micro_batches(rows, settings.micro_rows))
    grads, metrics = update.zeros(state.trainable), []
    for batch in reversed(batches):  # so that the first one's logits are left
        grads, part, logits = updater.accumulate(
            grads, params, state.trainable, state.anchors, batch, np.float32(tokens)
        )
        metrics.append(part)
    return Gradient(grads, logits, batches, metrics)


def problem_in(metrics: Mapping[str, float], settings: settings_lib.Settings) -> str | None:
    """Say what makes a step unusable: a value that is not finite, or above its limit."""
    for name in ("loss", "grad_norm", "update_norm"):
        if not math.isfinite(metrics[name]):
            return f"{name} is {metrics[name]}"
    limits = {"loss": settings.max_loss, "grad_norm": settings.max_grad_norm}
    for name, limit in limits.items():
        if metrics[name] > limit:
            return f"{name} {metrics[name]:.3g} exceeds {limit:g}"
    return None
