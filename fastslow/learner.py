"""What a model family plugs into the loop: two channels, and pure functions of their state."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from fastslow import types


class Drift(NamedTuple):
    """Exact KL divergence between the trained and the base policy, in nats per token."""

    trained_base: float  # KL(pi_theta || pi_0)
    base_trained: float  # KL(pi_0 || pi_theta)


Predictions: TypeAlias = tuple[list[Any], types.Cost]
DriftReport: TypeAlias = tuple[Mapping[str, Drift], types.Cost]  # condition -> Drift


class Learner(NamedTuple):
    """A model family. All members but the channels are pure functions of a `ModelState`.

    predict(state, task, examples, seed, temperature): one prediction per example, in order, in the
      form the task's scorer takes.
    drift(state, task): divergence from the untrained model on the task's fixed probe set, by
      condition ("with_prompt", "without_prompt").
    export(state, directory): write what a person wants to read of the state (prompts as Markdown).
    """

    slow: types.Channel
    fast: types.Channel
    predict: Callable[[types.ModelState, types.Task, types.Split, int, float], Predictions]
    drift: Callable[[types.ModelState, types.Task], DriftReport]
    export: Callable[[types.ModelState, pathlib.Path], None]


def init(learner: Learner, seed: int) -> types.ModelState:
    """Return the state of both channels before any lesson."""
    return types.ModelState(slow=learner.slow.init(seed), fast=learner.fast.init(seed))
