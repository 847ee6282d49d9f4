"""What one batch of sampled answers tells about a lesson: is there a signal, and where it points.

A probe costs about as much as one slow step: it samples answers as a step does, takes their
gradient, and throws the result away.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from fastslow import seeds, types
from fastslow.slow import contracts, training, update
from fastslow.slow import experience as experience_lib
from fastslow.slow import settings as settings_lib

SKETCH_SIZE = 4096


def sampled_facts(experience: contracts.Experience) -> dict[str, float]:
    """Return the facts that need only rewards; {} when the objective samples nothing."""
    if experience.rewards is None:
        return {}
    rewards = experience.rewards  # (groups, prompts, repeats)
    by_group = rewards.reshape(len(rewards), -1)
    mass = np.abs(by_group - by_group.mean(axis=1, keepdims=True)).mean()
    return {
        "sampled_reward": float(rewards.mean()),
        "best_minus_mean": float(rewards[:, 0].mean() - rewards.mean()),
        "silent_share": experience.silent_groups / experience.groups,
        "advantage_mass": float(mass),
    }


def gradient_facts(
    updater: update.Updater,
    params: types.PyTree,
    state: training.State,
    experience: contracts.Experience,
    settings: settings_lib.Settings,
) -> tuple[dict[str, float], tuple[float, ...] | None]:
    """Return norm and expected gain of a step on `experience`, and the sketch of its gradient.

    Expected gain is first order: the gradient of the mean reward (arXiv 1506.02438, section 2, with
    the mean of a group's other answers as baseline) times the change that the optimiser would make.
    The objective's gradient divides rewards by their group's standard deviation and counts an
    answer in its own baseline. So it is multiplied by the mean deviation over groups with a signal
    (exact when they all have the same) and by G / (G - 1), G answers a group.
    The gradient is the objective's alone; the change takes in anchors on parameters, as a step
    does, but none on outputs, which would take a second gradient. Without a signal both are 0.
    """
    if not experience.rows:
        return {"gradient_norm": 0.0, "expected_gain": 0.0}, None
    tokens = experience.tokens
    alone = state._replace(anchors={})
    grads = training.gradient(updater, params, alone, experience.rows, tokens, settings).grads
    slopes = jax.device_get(grads)
    moved, _, _ = updater.apply(grads, state.trainable, state.opt_state, state.anchors)
    facts = {"gradient_norm": _norm(slopes)}
    if experience.rewards is not None:
        changes = jax.tree.map(lambda new, old: np.asarray(new - old), moved, state.trainable)
        per_answer = tokens / experience.rewards.size
        scale = _reward_scale(experience.rewards) * per_answer
        facts["expected_gain"] = -_product(slopes, changes) * scale
    return facts, sketch(slopes)


def _reward_scale(rewards: np.ndarray) -> float:
    """Return what turns advantages of (groups, ...) back into rewards above those of the others."""
    by_group = rewards.reshape(len(rewards), -1)
    size = by_group.shape[1]
    heard = by_group[~experience_lib.zero_variance(by_group)]
    return float(heard.std(axis=1).mean()) * size / (size - 1)


def sketch(tree: types.PyTree) -> tuple[float, ...] | None:
    """Return the count sketch of a pytree, scaled to length 1; None if it is zero.

    Every entry is added, with a random sign, to a random one of SKETCH_SIZE sums; places and signs
    are the same in every run. Products of sketches are unbiased estimates of products of the trees,
    with a standard error of about 1 / sqrt(SKETCH_SIZE) (Charikar, Chen and Farach-Colton, 2002).
    """
    sums = np.zeros(SKETCH_SIZE)
    for path, leaf in jax.tree.leaves_with_path(tree):
        values = np.asarray(leaf, np.float64).ravel()
        rng = np.random.default_rng(seeds.derive(0, "sketch", jax.tree_util.keystr(path)))
        places = rng.integers(0, SKETCH_SIZE, values.size, dtype=np.int32)
        signs = rng.integers(0, 2, values.size, dtype=np.int8) * 2.0 - 1.0
        sums += np.bincount(places, weights=signs * values, minlength=SKETCH_SIZE)
    length = math.sqrt(float(sums @ sums))
    return tuple((sums / length).round(6).tolist()) if length > 0 else None


def _norm(tree: types.PyTree) -> float:
    return math.sqrt(_product(tree, tree))


def _product(one: types.PyTree, other: types.PyTree) -> float:
    pairs: Any = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return math.fsum(float(np.vdot(x.astype(np.float64), y.astype(np.float64))) for x, y in pairs)
