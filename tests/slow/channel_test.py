"""The channel on a tiny language model: it learns, it refuses, and it resumes exactly."""

import dataclasses
import functools
import re

import jax
import numpy as np
import optax
import pytest

from fastslow import seeds, types
from fastslow.lm import engine as engine_lib
from fastslow.lm import loading
from fastslow.slow import batching, channel, contracts, drift_cap
from fastslow.slow import settings as settings_lib
from fastslow.slow.adapters import ADAPTERS
from fastslow.slow.anchors import ANCHORS
from fastslow.slow.objectives import OBJECTIVES

EXAMPLES = tuple(types.Example(str(i), f"number {i}?", str(i % 10)) for i in range(96))
# Of equal length: every shape that differs is a program to compile.
PROMPTS = (types.Prompt("Answer by a digit."), types.Prompt("Write digits only."))


@functools.cache
def model():
    return loading.load("tiny-random", dtype="float32")


@functools.cache
def engine():
    return engine_lib.Engine(model())


def starts_with_digit(text, example):
    return types.Score(float(text[:1].isdigit()), "")


def half_silent(text, example):
    """Score the first four examples by their digits, and the others all alike."""
    return types.Score(float(text[:1].isdigit()) if int(example.id) < 4 else 1.0, "")


def build(objective="cispo", adapter="lora", anchors=None, scorer=starts_with_digit, **settings):
    task = types.Task("digits", EXAMPLES, EXAMPLES, EXAMPLES, scorer)
    settings = {
        "rollouts": 4,
        "max_tokens": 4,
        "learning_rate": 1e-2,
        "warmup_steps": 0,
        "micro_rows": 8,
    } | settings
    return channel.GradientChannel(
        model=model(),
        engine=engine(),
        tasks={"digits": task},
        prompts_of=lambda fast, name: PROMPTS,
        adapter=ADAPTERS.build(adapter),
        objective=OBJECTIVES.build(objective),
        anchors=anchors or {},
        settings=settings_lib.Settings(**settings),
    )


@functools.cache
def shared(objective="cispo"):
    """Channels whose compiled programs many tests use."""
    return build(objective, anchors={"kl": ANCHORS.build("kl_exact"), "l2": ANCHORS.build("l2sp")})


def absorb(learner, state, budget=2, seed=0, examples=EXAMPLES[:16]):
    lesson = types.Lesson(0, "digits", examples)
    return learner.absorb(types.ModelState(state, None), lesson, budget, seed)


def assert_same(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    jax.tree.map(np.testing.assert_array_equal, left, right)


def differs(left, right):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return any(not np.array_equal(a, b) for a, b in pairs)


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


def test_anchors_and_adapters_that_look_at_their_arrays_can_be_restored():
    """What trains for hours must not fail on resuming: nothing of one's own is traced there."""

    def init(trainable):
        largest = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(trainable))
        return {"at": jax.tree.map(np.asarray, trainable), "lessons": 0, "largest": largest}

    counting = ANCHORS.build("l2sp")._replace(
        init=init,
        penalty=lambda trainable, state: 0.0 * state["largest"],
        consolidate=lambda trainable, state, evidence: {**state, "lessons": state["lessons"] + 1},
    )
    learner = dataclasses.replace(build(), anchors={"mine": counting})
    state, _ = absorb(learner, learner.init(0), seed=1)
    assert state.anchors["mine"]["lessons"] == 1
    assert_same(learner.restore(learner.save(state)), state)


def test_restored_state_continues_exactly_like_the_one_saved():
    learner = shared()
    state, _ = absorb(learner, learner.init(0))
    saved = learner.save(state)
    restored = learner.restore(saved)
    assert_same(restored, state)
    assert differs(state.opt_state, learner.init(0).opt_state)
    straight, _ = absorb(learner, state, seed=5)
    resumed, _ = absorb(learner, restored, seed=5)
    cold, _ = absorb(learner, learner.init(0), seed=5)
    assert_same(resumed, straight)
    assert differs(cold.trainable, straight.trainable)


def test_restoring_into_another_model_or_adapter_is_an_error():
    learner = shared()
    saved = learner.save(learner.init(0))
    other = dataclasses.replace(learner, model=dataclasses.replace(model(), digest="other"))
    with pytest.raises(ValueError, match="saved for base model"):
        other.restore(saved)
    with pytest.raises(ValueError, match="does not fit"):
        build(adapter="full").restore(saved)


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
    step, start = seeds.derive(3, "step", 0), learner._source(learner.init(0), "digits")
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
        learner._source(state, "digits"), PROMPTS, EXAMPLES[:8], seeds.derive(3, "step", 0)
    )
    rows = sampled.rows + sampled.silent_rows
    both = (learner.variables(state), {"params": model().params})
    mean = drift_cap.drift(engine(), *(drift_cap.read(engine(), v, rows)[0] for v in both))
    assert step["anchor/kl"] == pytest.approx(1e-3 * mean, rel=1e-3)
    assert step["train_tokens"] == train_tokens(learner, rows)


def test_silent_answers_are_not_run_without_anchors_on_outputs():
    learner = build(scorer=half_silent, anchors={"l2": ANCHORS.build("l2sp")})
    _, told = absorb(learner, learner.init(0), 1, 3, EXAMPLES[:8])
    (step,) = told.details["steps"]
    sampled = learner.objective.collect(
        learner._source(learner.init(0), "digits"),
        PROMPTS,
        EXAMPLES[:8],
        seeds.derive(3, "step", 0),
    )
    assert 4 <= step["silent_groups"] < 8
    assert step["train_tokens"] == train_tokens(learner, sampled.rows)


def train_tokens(learner, rows):
    return batching.train_tokens(batching.micro_batches(rows, learner.settings.micro_rows))


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


def drift(learner, before, after):
    """Exact KL(after || before) over fresh completions, in nats per token."""
    requests = [
        engine_lib.Request(*model().chat.encode([types.Message("user", e.input)]), seed=i)
        for i, e in enumerate(EXAMPLES[:8])
    ]
    variables = learner.variables(after)
    completions, _ = engine().generate(variables, requests, temperature=1.0, max_tokens=4)
    tokens = [c.tokens.tolist() for c in completions]
    both = (variables, learner.variables(before))
    forward, _ = engine().divergence(*(engine().read(v, requests, tokens)[0] for v in both))
    return float(np.mean(forward))


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
        one = np.ones(len(p.states), np.float32)
        return one, one


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


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([{"loss": 0, "update_norm": 1}, {}], "1 of 2 steps had a signal"),
        (
            [{"loss": 0, "update_norm": 1, "step_scale": scale} for scale in (0, 0.5, 1)],
            "3 of 3 steps had a signal, 1 of them held in place by the step cap",
        ),
        (
            [{"loss": 0, "update_norm": norm} for norm in (0, 1)],
            "2 of 2 steps had a signal, 1 of them without any change",
        ),
    ],
)
def test_steps_that_moved_nothing_are_told_apart(steps, reason):
    assert channel._signals(channel.Taught(None, tuple(steps))) == reason


def test_anchors_are_consolidated_after_the_cap():
    """They follow the weights that are kept, not those that the cap shortened."""
    capped = dataclasses.replace(shared().settings, drift_cap=0.01)
    learner = dataclasses.replace(shared(), settings=capped)
    state, told = absorb(learner, learner.init(0), 4, 1)
    assert 0 < told.details["drift"]["scale"] < 1
    assert_same(state.anchors["l2"], state.trainable)
    assert state.anchors["kl"] == ()


def test_variables_start_at_the_base_and_follow_the_state():
    learner = shared()
    state, _ = absorb(learner, learner.init(0))
    assert drift(learner, learner.init(0), learner.init(1)) == pytest.approx(0, abs=1e-6)
    assert drift(learner, learner.init(0), state) > 1e-4
