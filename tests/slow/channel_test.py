"""The channel on a tiny language model: it learns, it counts, and it resumes exactly."""

import dataclasses
import functools

import jax
import numpy as np
import optax
import pytest

from fastslow import checkpoint, seeds, types
from fastslow.slow import trust_region
from fastslow.slow.adapters import ADAPTERS
from fastslow.slow.anchors import ANCHORS
from tests.slow.channels import (
    EXAMPLES,
    PROMPTS,
    absorb,
    assert_same,
    build,
    differs,
    drift,
    engine,
    half_silent,
    model,
    shared,
    train_tokens,
)


@pytest.mark.parametrize("seed", range(3))
def test_reward_rises_by_reinforcement(seed):
    learner = shared()
    state, told = absorb(learner, learner.init(seed), 24, seed, EXAMPLES)
    rewards = [step["reward"] for step in told.details["steps"]]
    assert told.outcome == "changed"
    assert np.mean(rewards[:3]) < 0.7
    assert np.mean(rewards[-3:]) > np.mean(rewards[:3]) + 0.25
    assert (told.reward_before, told.reward_after) == (rewards[0], rewards[-1])
    assert int(state.steps) == sum("loss" in step for step in told.details["steps"])


def test_targets_are_fitted_by_imitation():
    learner = shared("sft")
    _, told = absorb(learner, learner.init(0), 30, 0, EXAMPLES[:4])
    losses = [step["loss"] for step in told.details["steps"]]
    assert losses[-1] < 0.5 * losses[0]
    assert np.isnan(told.reward_before)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    learner = shared()
    first, second, third = (absorb(learner, learner.init(0), seed=seed)[0] for seed in (1, 1, 2))
    assert_same(first, second)
    assert differs(first.trainable, third.trainable)


def test_the_input_state_is_not_consumed():
    learner = shared()
    state = learner.init(0)
    before = jax.tree.map(np.array, state)
    absorb(learner, state)
    assert_same(jax.tree.map(np.asarray, state), before)


def restored(learner, state, directory):
    """What a checkpoint of the state gives back, as a run resumes from it."""
    checkpoint.save(directory, 0, learner.save(state))
    return learner.restore(checkpoint.restore(directory, 0, learner.save(learner.init(0)).arrays))


def test_anchors_and_adapters_that_look_at_their_arrays_can_be_restored(tmp_path):
    """What trains for hours must not fail on resuming: nothing of one's own is traced there."""

    def init(trainable):
        largest = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(trainable))
        return {"at": jax.tree.map(np.asarray, trainable), "lessons": 0, "largest": largest}

    counting = ANCHORS.build("l2sp")._replace(
        init=init,
        penalty=lambda trainable, state: 0.0 * state["largest"],
        consolidate=lambda trainable, state, evidence: {**state, "lessons": state["lessons"] + 1},
    )
    lora = ADAPTERS.build("lora")
    on_host = lora._replace(init=lambda *given: jax.tree.map(np.asarray, lora.init(*given)))
    learner = dataclasses.replace(build(), anchors={"mine": counting}, adapter=on_host)
    state, _ = absorb(learner, learner.init(0), seed=1)
    assert state.anchors["mine"]["lessons"] == 1
    again = restored(learner, state, tmp_path)
    assert_same(again, state)
    assert jax.tree.map(type, again) == jax.tree.map(type, state)


def test_restored_state_continues_exactly_like_the_one_saved(tmp_path):
    learner = shared()
    state, _ = absorb(learner, learner.init(0))
    again = restored(learner, state, tmp_path)
    assert_same(again, state)
    assert differs(state.opt_state, learner.init(0).opt_state)
    straight, _ = absorb(learner, state, seed=5)
    resumed, _ = absorb(learner, again, seed=5)
    cold, _ = absorb(learner, learner.init(0), seed=5)
    assert_same(resumed, straight)
    assert differs(cold.trainable, straight.trainable)


def test_restoring_into_another_model_or_adapter_is_an_error(tmp_path):
    learner = shared()
    saved = learner.save(learner.init(0))
    other = dataclasses.replace(learner, model=dataclasses.replace(model(), digest="other"))
    with pytest.raises(ValueError, match="saved for base model"):
        other.restore(saved)
    checkpoint.save(tmp_path, 0, saved)
    with pytest.raises(checkpoint.CheckpointError, match="does not fit"):
        checkpoint.restore(tmp_path, 0, build(adapter="full").init(0))


def test_costs_and_details_add_up():
    learner = shared()
    _, told = absorb(learner, learner.init(0))
    steps = told.details["steps"]
    assert told.cost.metric_calls == 2 * 8 * 4
    assert told.cost.completion_tokens >= 64
    assert told.cost.train_tokens == sum(step["train_tokens"] for step in steps) > 0
    assert told.cost.seconds >= sum(s["update_seconds"] + s["collect_seconds"] for s in steps)
    assert told.cost.flops > 6 * model().config.multiplied_parameters * told.cost.train_tokens
    for step in steps:
        assert step["groups"] == 8
        assert step["rows"] == 4 * (8 - step["silent_groups"])
        assert {"loss", "grad_norm", "clipped_share", "anchor/kl", "anchor/l2"} <= set(step)


@pytest.mark.parametrize(
    ("anchor", "remat", "passes"),
    [(None, False, 3), ("l2sp", False, 3), ("kl_exact", False, 4), ("kl_k3", True, 5)],
)
def test_the_base_models_pass_and_recomputed_layers_are_counted(anchor, remat, passes):
    """Imitation samples nothing, so that a step is all that costs; a backward pass counts twice."""
    anchors = {anchor: ANCHORS.build(anchor)} if anchor else {}
    learner = build("sft", anchors=anchors, remat=remat)
    _, told = absorb(learner, learner.init(0), 1, 0, EXAMPLES[:4])
    once = 2 * model().config.multiplied_parameters * told.cost.train_tokens
    assert told.cost.flops == pytest.approx(passes * once)


def test_the_update_sees_the_log_probabilities_that_were_sampled_with():
    learner = shared()
    _, told = absorb(learner, learner.init(0))
    for step in told.details["steps"]:
        assert step["off_policy"] < 1e-4  # nats
        assert step["clipped_share"] == 0


def test_progress_is_reported_step_by_step():
    seen = []
    learner = dataclasses.replace(shared(), on_step=lambda *told: seen.append(told))
    _, told = absorb(learner, learner.init(0))
    assert [(step, steps) for step, steps, _ in seen] == [(1, 2), (2, 2)]
    assert [metrics for _, _, metrics in seen] == told.details["steps"]


@pytest.mark.parametrize(
    ("budget", "examples", "reason"),
    [(0, EXAMPLES, "no slow steps in the budget"), (2, (), "the lesson has no examples")],
)
def test_nothing_to_do_is_skipped(budget, examples, reason):
    learner = shared()
    state = learner.init(0)
    after, told = absorb(learner, state, budget, 0, examples)
    assert after is state
    assert (told.outcome, told.reason) == ("skipped", reason)


def test_no_reward_variance_is_rejected_and_counted():
    """Not even weight decay or an anchor that pulls moves the weights then."""
    learner = build(
        anchors={"l2": ANCHORS.build("l2sp")},
        scorer=lambda text, example: types.Score(0.25, ""),
        weight_decay=0.5,
    )
    state = learner.init(0)
    after, told = absorb(learner, state)
    assert after is state
    assert told.outcome == "rejected"
    assert told.reason == "no reward variance in any of 16 groups (mean reward 0.25)"
    assert [step["silent_groups"] for step in told.details["steps"]] == [8, 8]
    assert told.cost.train_tokens == 0
    assert told.cost.metric_calls == 64


def test_groups_without_variance_shorten_the_others_gradient_and_keep_its_direction():
    """The mean is over all tokens: a step with one informative group is a small step."""
    task = dataclasses.replace(shared().tasks["digits"], scorer=half_silent)
    unclipped = dataclasses.replace(shared().settings, clip_norm=1e9)
    learner = dataclasses.replace(shared(), tasks={"digits": task}, settings=unclipped)
    both, told = absorb(learner, learner.init(0), 1, 3, EXAMPLES[:8])
    alone, _ = absorb(learner, learner.init(0), 1, 3, EXAMPLES[:4])
    assert told.details["steps"][0]["silent_groups"] >= 4
    assert differs(both.trainable, learner.init(0).trainable)
    # The first moment is a tenth of the gradient; Adam's own step would blow rounding up.
    both, alone = (optax.tree.get(state.opt_state, "mu") for state in (both, alone))
    step, start = seeds.derive(3, "step", 0), learner._sampler(learner.init(0), "digits")
    counts = [
        learner.objective.collect(start, PROMPTS, EXAMPLES[:count], step).tokens for count in (4, 8)
    ]
    assert counts[0] < 0.8 * counts[1]
    alone = jax.tree.map(lambda leaf: leaf * counts[0] / counts[1], alone)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-6), both, alone)


def test_anchors_on_outputs_hold_the_policy_on_silent_answers_too():
    """The penalty is coefficient * mean KL over all tokens, not over those of some groups."""
    task = dataclasses.replace(shared().tasks["digits"], scorer=half_silent)
    learner = dataclasses.replace(shared(), tasks={"digits": task})
    state, _ = absorb(shared(), shared().init(0), 4, 1)
    _, told = absorb(learner, state, 1, 3, EXAMPLES[:8])
    (step,) = told.details["steps"]
    assert 4 <= step["silent_groups"] < 8
    sampled = learner.objective.collect(
        learner._sampler(state, "digits"), PROMPTS, EXAMPLES[:8], seeds.derive(3, "step", 0)
    )
    rows = sampled.rows + sampled.silent_rows
    both = (learner.variables(state), {"params": model().params})
    mean, _ = engine().divergence(*(trust_region.read(engine(), v, rows)[0] for v in both))
    assert step["anchor/kl"] == pytest.approx(1e-3 * mean, rel=1e-3)
    assert step["train_tokens"] == train_tokens(learner, rows)


def test_silent_answers_are_not_run_without_anchors_on_outputs():
    learner = build(scorer=half_silent, anchors={"l2": ANCHORS.build("l2sp")})
    _, told = absorb(learner, learner.init(0), 1, 3, EXAMPLES[:8])
    (step,) = told.details["steps"]
    sampled = learner.objective.collect(
        learner._sampler(learner.init(0), "digits"),
        PROMPTS,
        EXAMPLES[:8],
        seeds.derive(3, "step", 0),
    )
    assert 4 <= step["silent_groups"] < 8
    assert step["train_tokens"] == train_tokens(learner, sampled.rows)


def test_variables_start_at_the_base_and_follow_the_state():
    learner = shared()
    state, _ = absorb(learner, learner.init(0))
    assert drift(learner, learner.init(0), learner.init(1)) == pytest.approx(0, abs=1e-6)
    assert drift(learner, learner.init(0), state) > 1e-4
