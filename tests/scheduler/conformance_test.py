"""What every scheduling policy must do, whatever it decides."""

import json

import pytest

from fastslow import scheduler, types

LESSONS = [types.Lesson(i, task, ()) for i, task in enumerate("ababba")]


def play(name, options=None):
    """Return the decisions over LESSONS and the final state."""
    policy = scheduler.SCHEDULERS.build(name, options)
    state, seen, decisions = policy.init(), [], []
    for lesson in LESSONS:
        since = seen[::-1].index(lesson.task_name) + 1 if lesson.task_name in seen else 0
        probe = types.Probe(seen.count(lesson.task_name), since, len(seen))
        state = json.loads(json.dumps(state))  # as a checkpoint would
        decisions.append(policy.decide(state, lesson, probe))
        absorbed = [types.Absorbed(c, "changed", "learned", 0.0, 1.0) for c in ("fast", "slow")]
        state = policy.observe(state, lesson, absorbed)
        seen.append(lesson.task_name)
    return decisions, state


@pytest.mark.parametrize("name", scheduler.SCHEDULERS)
def test_decides_deterministically_with_reasons_and_budgets(name):
    decisions, state = play(name)
    assert (decisions, state) == play(name)
    assert all(d.reason for d in decisions)
    assert all(d.fast_budget >= 0 and d.slow_steps >= 0 for d in decisions)
    assert any(d.fast_budget or d.slow_steps for d in decisions)


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
