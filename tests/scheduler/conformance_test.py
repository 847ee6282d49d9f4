"""What every scheduling policy must do, whatever it decides."""

import inspect
import json

import pytest

from fastslow import config, registry, run_state, scheduler, types

LESSONS = [types.Lesson(i, task, ()) for i, task in enumerate("ababba")]
FACTS = {"validation_reward": 0.5, "silent_share": 0.2, "cosine": 0.0, "drift": 0.1}
FACTS |= {"prompt_fill": 0.3, "sampled_reward": 0.5, "expected_gain": 0.01}


def play(name, options=None, facts=None):
    """Return the decisions over LESSONS and the final state; each channel gains 0.1 a lesson."""
    policy = scheduler.SCHEDULERS.build(name, options)
    state, seen, decisions = policy.init(), [], []
    for lesson in LESSONS:
        measured = FACTS | (facts or {}) if policy.probing else {}
        before = run_state.RunState(0, types.ModelState({}, {}), state, tuple(seen))
        probe = run_state.probe(before, lesson)._replace(draw=lesson.index, **measured)
        state = json.loads(json.dumps(state))  # as a checkpoint would
        decisions.append(policy.decide(state, lesson, probe))
        absorbed = [
            types.Absorbed(c, "changed", "learned", 0.0, 1.0, types.Cost(flops=1e12), {}, 0.1)
            for c in ("fast", "slow")
        ]
        state = policy.observe(state, lesson, probe, absorbed)
        seen.append(lesson.task_name)
    return decisions, state


@pytest.mark.parametrize("name", scheduler.SCHEDULERS)
@pytest.mark.parametrize("budget", ["fast_budget", "slow_steps"])
def test_a_negative_budget_is_refused(name, budget):
    if budget in inspect.signature(scheduler.SCHEDULERS.get(name)).parameters:
        with pytest.raises(config.ConfigError, match=f"scheduler.{budget} must not be negative"):
            scheduler.build(name, {budget: -1})
    else:
        with pytest.raises(registry.UnknownNameError):
            scheduler.build(name, {budget: 1})


@pytest.mark.parametrize("name", scheduler.SCHEDULERS)
def test_decides_deterministically_with_reasons_and_budgets(name):
    decisions, state = play(name)
    assert (decisions, state) == play(name)
    assert all(d.reason for d in decisions)
    assert all(d.fast_budget >= 0 and d.slow_steps >= 0 for d in decisions)
    assert any(d.fast_budget or d.slow_steps or d.trials for d in decisions)


@pytest.mark.parametrize("name", scheduler.SCHEDULERS)
def test_documents_itself(name):
    assert dict(scheduler.SCHEDULERS.describe())[name].endswith(".")


def test_interleave_gives_every_lesson_to_both():
    decisions, _ = play("interleave", {"fast_budget": 10, "slow_steps": 2})
    assert {d[:2] for d in decisions} == {(10, 2)}


def test_slow_only_and_fast_only_never_touch_the_other_channel():
    assert {d[:2] for d in play("slow_only", {"slow_steps": 2})[0]} == {(0, 2)}
    assert {d[:2] for d in play("fast_only", {"fast_budget": 10})[0]} == {(10, 0)}


def test_fast_then_slow_switches_per_task():
    decisions, _ = play("fast_then_slow", {"fast_lessons": 2, "fast_budget": 10, "slow_steps": 3})
    # lessons a b a b b a: the third b and the third a go to the weights
    assert [d[:2] for d in decisions] == [(10, 0)] * 4 + [(0, 3)] * 2


def test_unknown_option_is_an_error_that_helps():
    with pytest.raises(ValueError, match="did you mean 'slow_steps'"):
        scheduler.SCHEDULERS.build("interleave", {"slow_step": 2})


def budgets(name, options=None, **facts):
    return [decision[:2] for decision in play(name, options, facts)[0]]


def test_random_draws_both_channels_and_only_one_at_a_time():
    drawn = budgets("random", {"fast_budget": 10, "slow_steps": 2})
    assert set(drawn) == {(10, 0), (0, 2)}
    assert set(budgets("random", {"fast_share": 1.0})) == {(160, 0)}
    with pytest.raises(ValueError, match="fast_share"):
        scheduler.SCHEDULERS.build("random", {"fast_share": 1.5})


def test_durable_teaches_the_weights_what_recurs():
    # lessons a b a b b a: the fifth goes on with the fourth
    assert budgets("durable") == [(160, 0)] * 2 + [(0, 6)] * 4
    assert budgets("durable", {"recurrences": 2}) == [(160, 0)] * 5 + [(0, 6)]
    assert budgets("durable", silent_share=1.0) == [(160, 0)] * 6


def test_conflict_keeps_opposed_lessons_in_text():
    assert set(budgets("conflict", cosine=-0.3)) == {(160, 0)}
    assert set(budgets("conflict", cosine=-0.05)) == {(0, 6)}
    assert set(budgets("conflict", cosine=float("nan"))) == {(0, 6)}
    assert set(budgets("conflict", cosine=0.9, silent_share=1.0)) == {(160, 0)}
    assert set(budgets("conflict", {"threshold": 0.5}, cosine=-0.3)) == {(0, 6)}


def test_oracle_tries_nothing_prompts_weights_and_both():
    decisions, _ = play("oracle", {"fast_budget": 10, "slow_steps": 2})
    assert {d.trials for d in decisions} == {((0, 0), (10, 0), (0, 2), (10, 2))}


def test_oracle_without_a_budget_tries_nothing_twice():
    decisions, _ = play("oracle", {"fast_budget": 0, "slow_steps": 2})
    assert {d.trials for d in decisions} == {((0, 0), (0, 2))}
