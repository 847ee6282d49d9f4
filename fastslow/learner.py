"""What a model family plugs into the loop: two channels, and pure functions of their state."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from fastslow import types


class Drift(NamedTuple):
    """Exact KL divergence between the trained and the base policy, in nats per token."""

    trained_base: float  # KL(pi_theta || pi_0)
    base_trained: float  # KL(pi_0 || pi_theta)


Predictions: TypeAlias = tuple[list[Any], types.Cost]
Reselected: TypeAlias = tuple[Any, types.Absorbed | None]  # fast state, what became of it
DriftReport: TypeAlias = tuple[Mapping[str, Drift], types.Cost]  # condition -> Drift


class Measured(NamedTuple):
    """What a learner finds out about a lesson without learning it.

    `facts` are fields of `types.Probe`; `sketch` is a unit vector whose products with those of
    other lessons are about the cosines between their gradients, None if there is no gradient.
    """

    facts: Mapping[str, float] = {}
    sketch: tuple[float, ...] | None = None
    cost: types.Cost = types.Cost()


def reselect_nothing(state: types.ModelState, lesson_index: int, seed: int) -> Reselected:
    """Return the fast state as it is: what a learner does that has no texts to choose from."""
    return state.fast, None


def measure_nothing(state: types.ModelState, lesson: types.Lesson, seed: int) -> Measured:
    """Return no facts: what a learner does that cannot probe."""
    return Measured()


def same_parts(before: types.ModelState, after: types.ModelState, task_name: str) -> bool:
    """Return whether neither channel changed anything: all that any learner can tell."""
    return before.slow is after.slow and before.fast is after.fast


class Learner(NamedTuple):
    """A model family. All members but the channels are pure functions of a `ModelState`.

    predict(state, task, examples, seed, temperature): one prediction per example, in order, in the
      form the task's scorer takes.
    drift(state, task): divergence from the untrained model on the task's fixed probe set, by
      condition ("with_prompt", "without_prompt").
    export(state, directory): write what a person wants to read of the state (prompts as Markdown).
    probe(state, lesson, seed): facts about a lesson that schedulers may ask for.
    reselect(state, lesson_index, seed): the fast state with its texts chosen again after that
      lesson has changed weights or texts, and what became of that; None if there is no choice.
    alike(before, after, task_name): whether both states answer the task's questions in the same
      way for certain, so that what was measured of one is true of the other.
    """

    slow: types.Channel
    fast: types.Channel
    predict: Callable[[types.ModelState, types.Task, types.Split, int, float], Predictions]
    drift: Callable[[types.ModelState, types.Task], DriftReport]
    export: Callable[[types.ModelState, pathlib.Path], None]
    probe: Callable[[types.ModelState, types.Lesson, int], Measured] = measure_nothing
    reselect: Callable[[types.ModelState, int, int], Reselected] = reselect_nothing
    alike: Callable[[types.ModelState, types.ModelState, str], bool] = same_parts


def init(learner: Learner, seed: int) -> types.ModelState:
    """Return the state of both channels before any lesson."""
    return types.ModelState(slow=learner.slow.init(seed), fast=learner.fast.init(seed))


def moved(before: types.PyTree, now: types.PyTree) -> bool:
    """Return whether any array differs; steps that were tried but turned down move none."""
    pairs = itertools.zip_longest(jax.tree.leaves(before), jax.tree.leaves(now))
    return any(not np.array_equal(old, new) for old, new in pairs)
