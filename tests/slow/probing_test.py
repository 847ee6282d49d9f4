"""What a probe says of a lesson: rewards, gradient, sketch, and the first-order gain of a step."""

import dataclasses
import functools
import itertools
import math

import jax
import numpy as np
import pytest

from fastslow import types
from fastslow.slow import contracts, experience, probing, training, update
from fastslow.slow import settings as settings_lib
from fastslow.slow.anchors import ANCHORS
from tests.slow import channels, toy

SETTINGS = settings_lib.Settings(micro_rows=4)


def gathered(rewards):
    """Experience with given rewards (groups, prompts, repeats), on random rows."""
    rewards = np.asarray(rewards, float)
    by_group = rewards.reshape(len(rewards), -1)
    silent = by_group.max(axis=1) == by_group.min(axis=1)
    advantages = np.where(silent[:, None], 0.0, experience.group_advantages(by_group)).ravel()
    rows = [
        row._replace(advantage=float(advantage))
        for row, advantage in zip(toy.rows(0, rewards.size, 1), advantages, strict=True)
    ]
    heard = tuple(itertools.compress(rows, np.repeat(~silent, by_group.shape[1])))
    return contracts.Experience(
        heard, (), len(rewards), int(silent.sum()), rewards.mean(), types.Cost(), rewards
    )


def test_facts_about_rewards_by_hand():
    # two groups, two prompts, two answers each; the first prompt is the best
    facts = probing.sampled_facts(gathered([[[1, 1], [0, 0]], [[1, 1], [1, 1]]]))
    assert facts == {
        "sampled_reward": 0.75,
        "best_minus_mean": 0.25,
        "silent_share": 0.5,
        "advantage_mass": 0.25,
    }


def test_an_objective_that_samples_nothing_has_no_reward_facts():
    silent = gathered([[[1, 0]]])._replace(rewards=None)
    assert probing.sampled_facts(silent) == {}


def probed(made, gathered):
    updater, state = update.make(made), toy.state(made, toy.params())
    facts = probing.gradient_facts(updater, toy.params(), state, gathered, SETTINGS)
    return updater, state, *facts


def test_expected_gain_is_the_slope_of_the_mean_reward_along_the_step():
    """Against a finite difference of (1/n) sum (r - mean of others) log pi(y) along the step."""
    made = toy.parts("lora", "cispo", rate=1e-3)
    sampled = gathered([[[1, 0, 0, 0]], [[0, 0, 1, 0]], [[0, 1, 0, 0]]])
    # on policy: pi_old is pi, so that every ratio is 1
    start = toy.state(made, toy.params())

    def logprobs(trainable, row):
        (batch,) = training.batching.micro_batches((row,), 1)
        logits = toy.forward(made.adapter.bind(toy.params(), trainable), batch.inputs)
        found = jax.nn.log_softmax(logits)[np.arange(len(row.tokens)), list(row.tokens)]
        return np.asarray(found)

    rows = tuple(
        row._replace(behaviour_logprobs=logprobs(start.trainable, row)) for row in sampled.rows
    )
    sampled = sampled._replace(rows=rows)
    updater, state, facts, _ = probed(made, sampled)
    tokens = sum(len(row.tokens) for row in rows)
    moved = training.take(updater, toy.params(), state, rows, tokens, SETTINGS).state.trainable
    others = (sampled.rewards.sum(axis=(1, 2), keepdims=True) - sampled.rewards) / 3
    centred = (sampled.rewards - others).ravel()

    def reward(trainable):
        return sum(
            c * float(logprobs(trainable, row).sum()) for c, row in zip(centred, rows, strict=True)
        ) / len(rows)

    slope = reward(moved) - reward(start.trainable)
    assert facts["expected_gain"] == pytest.approx(slope, rel=0.05)
    assert facts["expected_gain"] > 0
    assert facts["gradient_norm"] > 0


def test_a_silent_group_with_a_rounded_mean_does_not_lower_the_deviation():
    silent = np.full((1, 1, 6), 0.1)
    assert silent.std() > 0
    heard = np.array([[[1.0, 0, 0, 1, 0, 1]]])
    found = probing._reward_scale(np.concatenate([heard, silent]))
    assert found == pytest.approx(0.5 * 6 / 5)


def test_gradients_of_anchors_on_outputs_are_not_the_rewards():
    anchors = {"kl": ANCHORS.build("kl_exact", {"coefficient": 10.0})}
    sampled, found = gathered([[[1, 0, 0, 0]], [[0, 0, 1, 0]]]), []
    for made in (toy.parts("lora", "cispo"), toy.parts("lora", "cispo", anchors)):
        updater, state = update.make(made), toy.state(made, toy.params())
        moved = state._replace(trainable=toy.perturbed(state.trainable, 1))
        found.append(probing.gradient_facts(updater, toy.params(), moved, sampled, SETTINGS))
    (without, sketch), (beside, same) = found
    assert beside == pytest.approx(without, rel=1e-4)
    assert np.dot(sketch, same) == pytest.approx(1, abs=1e-4)


def test_without_a_signal_nothing_is_expected():
    _, _, facts, sketch = probed(toy.parts("lora", "cispo"), gathered([[[1, 1]], [[0, 0]]]))
    assert facts == {"gradient_norm": 0.0, "expected_gain": 0.0}
    assert sketch is None


def test_sketches_keep_cosines():
    rng = np.random.default_rng(0)
    one, other = ({"a": rng.normal(size=(40, 50)), "b": rng.normal(size=300)} for _ in range(2))
    for weight in (-1.0, -0.3, 0.0, 0.5, 1.0):
        mixed = jax.tree.map(lambda x, y, w=weight: w * x + math.sqrt(1 - w * w) * y, one, other)
        found = np.dot(probing.sketch(one), probing.sketch(mixed))
        assert found == pytest.approx(weight, abs=4 / math.sqrt(probing.SKETCH_SIZE))
    assert np.linalg.norm(probing.sketch(one)) == pytest.approx(1, abs=1e-4)
    assert probing.sketch(one) == probing.sketch(one)
    assert probing.sketch({"a": np.zeros(3)}) is None


@functools.cache
def real_probe(seed=0):
    learner = channels.shared()
    lesson = types.Lesson(0, "digits", channels.EXAMPLES[:16])
    state = types.ModelState(learner.init(0), None)
    return learner.probe(state, lesson, seed), learner, state


def test_a_channel_probes_without_learning():
    measured, learner, state = real_probe()
    channels.assert_same(learner.init(0), state.slow)
    facts = measured.facts
    assert 0 < facts["sampled_reward"] < 1
    assert facts["gradient_norm"] > 0
    assert facts["expected_gain"] > 0
    assert facts["drift"] == pytest.approx(0, abs=1e-5)  # nothing has been learned yet
    assert measured.cost.flops > 0
    assert measured.cost.metric_calls == 8 * 4
    assert set(facts) <= set(types.Probe._fields)


def test_drift_is_told_as_a_share_of_its_budget_where_there_is_one():
    _, learner, state = real_probe()
    assert "drift_fill" not in real_probe()[0].facts
    moved, _ = channels.absorb(learner, state.slow)
    bounded = dataclasses.replace(
        learner, settings=dataclasses.replace(learner.settings, drift_budget=0.5)
    )
    lesson = types.Lesson(0, "digits", channels.EXAMPLES[:16])
    facts = bounded.probe(types.ModelState(moved, None), lesson, 0).facts
    assert facts["drift_fill"] == facts["drift"] / 0.5 > 0


def test_a_probe_is_deterministic_and_depends_on_its_seed():
    again = real_probe.__wrapped__(0)[0]
    assert again.facts == real_probe()[0].facts
    assert again.sketch == real_probe()[0].sketch
    assert real_probe.__wrapped__(1)[0].sketch != again.sketch
