"""One step after another on rows: every adapter with every objective."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from fastslow.slow import settings as settings_lib
from fastslow.slow import training, update
from fastslow.slow.adapters import ADAPTERS
from fastslow.slow.objectives import OBJECTIVES
from tests.slow import toy

SETTINGS = settings_lib.Settings(micro_rows=4)


def repeated(made, rows, steps, settings=SETTINGS):
    updater, state, taken = update.make(made), toy.state(made, toy.params()), []
    for _ in range(steps):
        tokens = sum(len(row.tokens) for row in rows)
        taken.append(training.take(updater, toy.params(), state, rows, tokens, settings))
        state = taken[-1].state
    return taken


@pytest.mark.parametrize("adapter", list(ADAPTERS))
@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_steps_change_the_weights_lower_the_loss_and_are_counted(adapter, objective):
    made = toy.parts(adapter, objective, rate=0.02)
    taken = repeated(made, toy.rows(0), 6)
    start = toy.state(made, toy.params())
    assert taken[-1].update.metrics["loss"] < taken[0].update.metrics["loss"] - 0.05
    assert [int(step.state.steps) for step in taken] == [1, 2, 3, 4, 5, 6]
    changed = jax.tree.map(
        lambda x, y: not np.array_equal(x, y), taken[-1].state.trainable, start.trainable
    )
    assert all(jax.tree.leaves(changed))  # every leaf
    assert all(step.problem is None for step in taken)
    assert taken[0].update.metrics["update_norm"] > 0


@pytest.mark.parametrize("adapter", list(ADAPTERS))
def test_steps_are_deterministic(adapter):
    made = toy.parts(adapter, "cispo")
    first, second = (repeated(made, toy.rows(0), 2)[-1].state for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, first, second)


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        ({}, None),
        ({"loss": float("nan")}, "loss is nan"),
        ({"grad_norm": float("inf")}, "grad_norm is inf"),
        ({"update_norm": float("nan")}, "update_norm is nan"),
        ({"loss": 2e3}, "loss 2e+03 exceeds 1000"),
        ({"loss": -2e3}, None),
        ({"grad_norm": 1.5e4}, "grad_norm 1.5e+04 exceeds 10000"),
    ],
)
def test_problems_are_named(metrics, problem):
    fine = {"loss": 1.0, "grad_norm": 1.0, "update_norm": 1.0}
    assert training.problem_in(fine | metrics, SETTINGS) == problem


@pytest.mark.parametrize("adapter", list(ADAPTERS))
def test_a_step_beyond_the_cap_is_shortened_until_it_keeps_it(adapter):
    made = toy.parts(adapter, "cispo", rate=0.02)
    (free,) = repeated(made, toy.rows(0), 1, dataclasses.replace(SETTINGS, step_cap=1e9))
    assert (free.update.capped.scale, free.problem) == (1.0, None)
    cap = free.update.capped.drift / 9
    assert cap > 1e-3
    (held,) = repeated(made, toy.rows(0), 1, dataclasses.replace(SETTINGS, step_cap=cap))
    assert 0 < held.update.capped.scale < 1
    updater, start = update.make(made), toy.state(made, toy.params()).trainable
    before = updater.logits(toy.params(), start, held.batches[0])
    left = updater.divergence(toy.params(), held.state.trainable, held.batches[0], before)
    assert held.update.capped.drift == pytest.approx(float(left), rel=1e-4)
    assert 0.75 * cap <= float(left) <= cap
    both = (jax.tree.leaves(step.state.opt_state) for step in (held, free))
    jax.tree.map(np.testing.assert_array_equal, *both)  # the optimiser took the whole step


def test_the_divergence_of_a_step_is_exact():
    made = toy.parts("lora", "cispo", rate=0.02)
    (step,) = repeated(made, toy.rows(0), 1)
    updater, start = update.make(made), toy.state(made, toy.params()).trainable
    batch = step.batches[0]
    after, before = (
        np.asarray(updater.logits(toy.params(), trainable, batch), np.float64)
        for trainable in (step.state.trainable, start)
    )
    p, q = (
        np.exp(x - x.max(-1, keepdims=True))
        / np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True)
        for x in (after, before)
    )
    wanted = (p * np.log(p / q)).sum(-1)[batch.mask].mean()
    logits = updater.logits(toy.params(), start, batch)
    found = float(updater.divergence(toy.params(), step.state.trainable, batch, logits))
    assert found == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("objective", ["grpo", "cispo"])
def test_silent_rows_do_not_change_the_objectives_gradient(objective):
    made, rows = toy.parts("lora", objective), toy.rows(0, 8)
    silent = tuple(row._replace(advantage=0.0) for row in toy.rows(1, 8))
    tokens = sum(len(row.tokens) for row in rows + silent)
    updater, state = update.make(made), toy.state(made, toy.params())
    without, together = (
        training.gradient(updater, toy.params(), state, run, tokens, SETTINGS).grads
        for run in (rows, rows + silent)
    )
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(without)) > 1e-3
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-6), together, without)
