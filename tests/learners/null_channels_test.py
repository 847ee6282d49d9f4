"""What policies that decide are told of channels in which nothing is ever learned."""

import pytest

from fastslow import scheduler, types
from fastslow.learners import frozen_weights, seed_prompts

LESSON = types.Lesson(0, "a", ())
PROBE = types.Probe(1, 2, 3, returns=1, validation_reward=0.2, malformed_share=0.5, cosine=0.3)
STATE = types.ModelState(slow={}, fast={})


@pytest.mark.parametrize("name", ["gain_cost", "conflict", "durable"])
def test_no_lesson_is_given_to_weights_that_never_move(name):
    policy = scheduler.build(name, {})
    facts = frozen_weights.FrozenWeights("slow", {}).probe(STATE, LESSON, 0).facts
    decision = policy.decide(policy.init(), LESSON, PROBE._replace(prompt_fill=0.1, **facts))
    assert decision.slow_steps == 0 < decision.fast_budget


def test_a_state_that_never_changes_stays_the_same_object_so_that_nothing_is_measured_anew():
    slow, _ = frozen_weights.FrozenWeights("slow", {}).absorb(STATE, LESSON, 4, 0)
    fast, _ = seed_prompts.SeedPrompts("fast", {}).absorb(STATE, LESSON, 4, 0)
    assert slow is STATE.slow
    assert fast is STATE.fast


def test_no_lesson_is_given_to_prompts_that_never_change():
    policy = scheduler.build("gain_cost", {})
    fill = seed_prompts.SeedPrompts("fast", {}).fill({}, "a")
    decision = policy.decide(
        policy.init(), LESSON, PROBE._replace(silent_share=0, prompt_fill=fill)
    )
    assert decision.fast_budget == 0 < decision.slow_steps
