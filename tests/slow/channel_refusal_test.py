"""What the channel turns down: lessons that blow up, drift too far, or move nothing."""

import dataclasses
import re

import jax
import numpy as np
import pytest

from fastslow.slow import contracts, steps, training, trust_region
from fastslow.slow.objectives import OBJECTIVES
from tests.slow.channels import absorb, assert_same, drift, engine, shared


def exploding(value, first_step):
    """An objective whose loss is `value` times the log-probabilities, from a step on."""
    cispo = OBJECTIVES.build("cispo")
    calls = []

    def collect(*arguments):
        gathered = cispo.collect(*arguments)
        calls.append(1)
        if len(calls) < first_step:
            return gathered
        rows = tuple(row._replace(advantage=value) for row in gathered.rows)
        return gathered._replace(rows=rows)

    return contracts.Objective(collect, cispo.loss)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "step 2: loss is nan"),
        (float("inf"), "step 2: loss is inf"),
        (1e6, "step 2: loss .* exceeds 1000"),
    ],
)
def test_a_lesson_that_blows_up_is_rejected_with_the_state_intact(value, reason):
    learner = dataclasses.replace(shared(), objective=exploding(value, 2))
    state = learner.init(0)
    before = jax.tree.map(np.array, state)
    after, told = absorb(learner, state, 3)
    assert told.outcome == "rejected"
    assert_same(jax.tree.map(np.asarray, after), before)
    assert len(told.details["steps"]) == 2
    assert re.fullmatch(reason, told.reason)


def test_drift_cap_holds():
    free = shared()
    state = free.init(0)
    far, _ = absorb(free, state, 4, 1)
    capped = dataclasses.replace(free, settings=dataclasses.replace(free.settings, drift_cap=0.01))
    near, told = absorb(capped, state, 4, 1)
    found = told.details["drift"]
    assert told.outcome == "changed"
    assert 0 < found["scale"] < 1
    assert found["drift"] <= 0.01 < found["uncapped"]
    assert found["evaluations"] <= capped.settings.drift_evaluations
    assert drift(free, state, near) < 0.03 < drift(free, state, far)
    # What was learnt is on the way there: same direction, optimiser state of the whole way.
    ratio = near.trainable["blocks"]["q"]["b"] / far.trainable["blocks"]["q"]["b"]
    np.testing.assert_allclose(ratio, found["scale"], rtol=1e-4)
    assert_same(near.opt_state, far.opt_state)


class Drifting:
    """An engine that finds every change too large."""

    def generate(self, *arguments, **options):
        return engine().generate(*arguments, **options)

    def read(self, *arguments):
        return engine().read(*arguments)

    def divergence(self, p, q):
        return 1.0, 1.0


def test_a_cap_that_nothing_keeps_rejects_the_lesson():
    learner = shared()
    tight = dataclasses.replace(learner.settings, drift_cap=0.01, drift_evaluations=3)
    learner = dataclasses.replace(learner, settings=tight, engine=Drifting())
    state = learner.init(0)
    after, told = absorb(learner, state, 1)
    assert after is state
    assert told.outcome == "rejected"
    assert told.reason == "no share of the change keeps the drift cap 0.01"
    assert told.details["drift"]["evaluations"] == 3


def test_steps_that_the_step_cap_holds_in_place_are_no_learning():
    settings = dataclasses.replace(shared().settings, step_cap=1e-9, drift_evaluations=1)
    learner = dataclasses.replace(shared(), settings=settings)
    state = learner.init(0)
    after, told = absorb(learner, state)
    assert [step["step_scale"] for step in told.details["steps"]] == [0, 0]
    assert after is state  # its optimiser and its anchors too
    assert told.outcome == "rejected"
    assert told.reason == "2 of 2 steps had a signal, 2 of them held in place by the step cap"


def update(norm=1.0, scale=None):
    capped = None if scale is None else trust_region.Capped(scale, 0.0, 0.0, 1)
    return training.Update({"update_norm": norm}, capped)


@pytest.mark.parametrize(
    ("updates", "reason"),
    [
        ([update(), None], "1 of 2 steps had a signal"),
        (
            [update(scale=scale) for scale in (0, 0.5, 1)],
            "3 of 3 steps had a signal, 1 of them cut to 50% (median) by the step cap"
            ", 1 of them held in place by the step cap",
        ),
        (
            [update(scale=scale) for scale in (0.1, 0.2, 0.6, 1)],
            "4 of 4 steps had a signal, 3 of them cut to 20% (median) by the step cap",
        ),
        (
            [update(norm) for norm in (0, 1)],
            "2 of 2 steps had a signal, 1 of them without any change",
        ),
    ],
)
def test_steps_that_were_cut_or_moved_nothing_are_told_apart(updates, reason):
    reports = tuple(steps.Report(0.5, 1, 0, 1, 0.1, made) for made in updates)
    assert steps.outcome(steps.Taught(None, reports)) == reason


def test_anchors_are_consolidated_after_the_cap():
    """They follow the weights that are kept, not those that the cap shortened."""
    capped = dataclasses.replace(shared().settings, drift_cap=0.01)
    learner = dataclasses.replace(shared(), settings=capped)
    state, told = absorb(learner, learner.init(0), 4, 1)
    scale = told.details["drift"]["scale"]
    assert 0 < scale < 1
    assert told.reason.endswith(f"; the drift cap left {scale:.0%} of the change")
    assert_same(state.anchors["l2"], state.trainable)
    assert state.anchors["kl"] == ()
