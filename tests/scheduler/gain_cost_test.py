"""The policy that weighs expected gain against drift and compute."""

import dataclasses
import math

import pytest

from fastslow import types
from fastslow.scheduler import gain_cost

POLICY = gain_cost.GainCost(exploration=0.0, gain_error=0.0)
PROBE = types.Probe(0, 0, 0, validation_reward=0.5, silent_share=0.0, drift=0.0, prompt_fill=0.1)
FORM, CHOICE = PROBE._replace(malformed_share=1.0), PROBE._replace(malformed_share=0.0)


def lesson(task="a"):
    return types.Lesson(0, task, ())


def worked(channel, gain, flops=1e12, outcome="changed"):
    return types.Absorbed(channel, outcome, "", cost=types.Cost(flops=flops), gain=gain)


def after(*lessons, policy=POLICY):
    """The state after lessons of (task, probe, absorbed)."""
    state = policy.init()
    for task, probe, absorbed in lessons:
        state = policy.observe(state, lesson(task), probe, absorbed)
    return state


def test_untried_channels_are_both_tried_where_errors_are_of_unknown_kind():
    decision = POLICY.decide(POLICY.init(), lesson(), PROBE)
    assert decision[:2] == (160, 6)
    # half the errors are for it, half are not: 0.275 of 0.5; half the price of a lesson's compute
    assert "fast: expects +0.138 reward at a price of 0.025" in decision.reason


def test_weights_are_kept_only_where_the_tasks_are_better_unless_that_is_turned_off():
    decision = POLICY.decide(POLICY.init(), lesson(), PROBE)
    assert decision.guarded
    loose = dataclasses.replace(POLICY, guarded=False)
    assert loose.decide(loose.init(), lesson(), PROBE) == decision._replace(guarded=False)
    turned_down = after(*[("a", CHOICE, [worked("slow", 0.0, outcome="rejected")])] * 3)
    assert POLICY.decide(turned_down, lesson(), CHOICE)[:2] == (0, 0)


def test_text_mends_forms_and_weights_mend_choices_until_shown_otherwise():
    decision = POLICY.decide(POLICY.init(), lesson(), FORM)
    assert decision[:2] == (160, 0)
    assert decision.reason.startswith("100% of errors are of form; fast: expects +0.250")
    assert POLICY.decide(POLICY.init(), lesson(), CHOICE)[:2] == (0, 6)
    mends_all = after(*[(t, CHOICE, [worked("fast", 0.4)]) for t in "abcd"])
    assert POLICY.decide(mends_all, lesson("e"), CHOICE)[0] == 160
    assert mends_all["fast"]["kinds"]["choice"] == pytest.approx(0.8, abs=0.05)
    assert mends_all["fast"]["kinds"]["form"] == 0.5  # nothing was seen of forms


def test_what_one_channel_is_expected_to_close_the_other_cannot_close_too():
    strong = [worked("fast", 0.45), worked("slow", 0.015)]  # 0.9 of 0.5, 0.3 of the 0.05 left
    state = after(*[("a", PROBE, strong)] * 9)
    decision = POLICY.decide(state, lesson(), PROBE)
    assert decision[:2] == (160, 0)
    assert "slow: expects +0.015" in decision.reason  # 0.3 of 0.05, not of 0.5


def test_a_channel_that_closed_no_headroom_does_not_pay_any_more():
    state = after(*[("a", PROBE, [worked("fast", 0.2), worked("slow", 0.0)])] * 3)
    assert POLICY.decide(state, lesson(), PROBE)[:2] == (160, 0)
    state = after(*[("a", PROBE, [worked("fast", -0.1), worked("slow", 0.2)])] * 3)
    assert POLICY.decide(state, lesson(), PROBE)[:2] == (0, 6)
    state = after(*[("a", PROBE, [worked("fast", 0.0), worked("slow", 0.0)])] * 3)
    decision = POLICY.decide(state, lesson(), PROBE)
    assert decision[:2] == (0, 0)
    assert decision.reason.count("does not pay") == 2


def test_gain_is_a_share_of_what_is_left_to_gain():
    state = after(("a", PROBE, [worked("fast", 0.25), worked("slow", 0.125)]))
    # fast closed 0.25 of 0.5, slow 0.125 of the 0.25 that was left
    assert state["fast"]["closed"]["a"] == pytest.approx(0.5)
    assert state["slow"]["closed"]["a"] == pytest.approx(0.5)
    mastered = PROBE._replace(validation_reward=0.99)
    assert POLICY.decide(state, lesson(), mastered)[:2] == (0, 0)


def test_a_new_task_inherits_what_the_channels_did_for_others():
    state = after(*[("a", PROBE, [worked("fast", 0.0), worked("slow", 0.2)])] * 4)
    assert POLICY.decide(state, lesson("b"), PROBE)[:2] == (0, 6)
    again = POLICY.observe(state, lesson("b"), PROBE, [worked("fast", 0.4)])
    assert POLICY.decide(again, lesson("b"), PROBE)[0] == 160
    # what the other task taught of the channel counts for half
    assert again["fast"]["closed"]["a"] == 0.0


def test_a_gain_teaches_the_less_the_less_there_was_to_gain():
    unsure = dataclasses.replace(POLICY, gain_error=0.1)
    nothing = [worked("slow", 0.0)]

    def left(reward):
        probe = CHOICE._replace(validation_reward=reward)
        state = after(("a", probe, nothing), policy=unsure)
        return state["slow"]["kinds"]["choice"]

    assert left(1.0) == 0.5  # nothing to close: nothing is known of the channel
    assert left(0.96) == pytest.approx(0.5 - 0.25 * 0.0004 / 0.0104)  # one example of 24
    assert left(0.0) == pytest.approx(0.5 - 0.25 * 0.25 / 0.26)
    assert left(1.0) > left(0.96) > left(0.5) > left(0.0)


def test_a_channel_that_finds_nothing_left_by_the_other_is_not_blamed():
    state = after(("a", FORM, [worked("fast", 0.5), worked("slow", 0.0)]))
    assert state["slow"]["kinds"] == POLICY.init()["slow"]["kinds"]
    assert state["slow"]["closed"] == {}


def test_a_channel_that_could_not_begin_does_not_become_free():
    state = after(("a", PROBE, [worked("fast", 0.0, flops=0.0, outcome="rejected")]))
    assert state["fast"]["flops"] is None


def test_drift_is_compared_within_a_task_and_divided_among_its_lessons():
    taught = [worked("slow", 0.1)]
    newest = dataclasses.replace(POLICY, memory=0.0)
    state = after(
        ("a", PROBE, taught),
        ("a", PROBE._replace(drift=0.1), taught),  # 0.1 by one lesson
        ("b", PROBE._replace(drift=0.6), []),  # 0.6 by two, whatever it is on a
        policy=newest,
    )
    assert state["step_drift"] == pytest.approx(0.3)
    state = newest.observe(state, lesson("a"), PROBE._replace(drift=0.1), [])
    assert state["step_drift"] == 0.0  # on a, the second lesson moved nothing


def test_skipped_channels_teach_nothing():
    part = types.Absorbed("slow", "skipped", "no budget")
    assert after(("a", PROBE, [part]))["slow"] == POLICY.init()["slow"]


def test_compute_is_shared_by_what_the_channels_use():
    both = [worked("fast", 0.0, 1e12), worked("slow", 0.0, 9e12)]
    state = after(*[("a", PROBE, both)] * 5)
    decision = POLICY.decide(state, lesson(), PROBE)
    assert "price of 0.005, does not pay; slow" in decision.reason
    assert decision.reason.endswith("price of 0.045, does not pay")


def test_drift_has_its_price():
    drifting = [
        ("a", PROBE, [worked("slow", 0.05)]),
        ("a", PROBE._replace(drift=0.8), [worked("slow", 0.05)]),
    ]
    state = after(*drifting)
    assert state["step_drift"] == pytest.approx(0.8)
    assert POLICY.decide(state, lesson(), PROBE)[1] == 0
    careless = dataclasses.replace(POLICY, drift_price=0.0)
    assert careless.decide(state, lesson(), PROBE)[1] == 6


def test_channels_that_cannot_help_are_left_out_with_the_reason():
    decision = POLICY.decide(POLICY.init(), lesson(), PROBE._replace(silent_share=1.0))
    assert decision[:2] == (160, 0)
    assert "slow: no group of samples gives the weights a signal" in decision.reason
    decision = POLICY.decide(POLICY.init(), lesson(), PROBE._replace(prompt_fill=0.99))
    assert decision[:2] == (0, 6)
    assert "the prompt is full" in decision.reason


def test_the_only_channel_that_can_help_is_tried_once_on_a_task_whatever_it_promises():
    silent = CHOICE._replace(silent_share=1.0)
    decision = POLICY.decide(POLICY.init(), lesson("a"), silent)
    assert decision[:2] == (160, 0)
    assert decision.reason.endswith("falls back on fast, not tried on this task yet")
    tried = after(("a", silent, [worked("fast", 0.0)]))
    assert POLICY.decide(tried, lesson("a"), silent)[:2] == (0, 0)
    assert POLICY.decide(tried, lesson("b"), silent)[:2] == (160, 0)
    full = FORM._replace(prompt_fill=0.99)
    assert POLICY.decide(POLICY.init(), lesson("a"), full)[:2] == (0, 6)
    neither = silent._replace(prompt_fill=0.99)
    assert POLICY.decide(POLICY.init(), lesson("a"), neither)[:2] == (0, 0)
    solved = silent._replace(validation_reward=1.0)
    assert POLICY.decide(POLICY.init(), lesson("a"), solved)[:2] == (0, 0)


def test_weights_are_left_alone_once_the_drift_budget_is_spent():
    spent = CHOICE._replace(drift=0.21, drift_fill=1.05)
    decision = POLICY.decide(POLICY.init(), lesson(), spent)
    assert decision.slow_steps == 0
    assert "slow: the drift budget is spent (0.21 nats/token)" in decision.reason
    assert POLICY.decide(POLICY.init(), lesson(), CHOICE._replace(drift_fill=0.99))[1] == 6


def test_an_outage_teaches_nothing():
    failed = worked("fast", 0.0, outcome="failed")
    assert after(("a", FORM, [failed])) == after(("a", FORM, []))


def test_a_gain_that_nobody_measured_teaches_the_price_alone():
    state = after(("a", PROBE, [worked("fast", math.nan, flops=3e12), worked("slow", 0.25)]))
    assert state["fast"] == {**POLICY.init()["fast"], "flops": 3e12}
    alone = after(("a", PROBE, [worked("slow", 0.25)]))
    assert state["slow"] == alone["slow"]


def test_a_full_prompt_is_tried_by_lot_and_one_that_cannot_change_never():
    policy = gain_cost.GainCost(exploration=1.0)

    def tried(fill):
        probes = [PROBE._replace(prompt_fill=fill, draw=draw) for draw in range(20)]
        return [policy.decide(policy.init(), lesson(), probe).fast_budget > 0 for probe in probes]

    assert all(tried(0.99))
    assert not any(tried(1.0))


def test_exploration_vanishes():
    policy = gain_cost.GainCost(exploration=1.0)
    nothing = [worked("fast", 0.0), worked("slow", 0.0)]
    useless = after(*[("a", PROBE, nothing)] * 3, policy=policy)

    def explored(number):
        found = 0
        for draw in range(300):
            probe = PROBE._replace(lesson_number=number, draw=draw)
            found += policy.decide(useless, lesson(), probe)[:2] != (0, 0)
        return found / 300

    assert explored(0) == 1.0
    assert explored(3) == pytest.approx(1 / 4, abs=0.08)
    assert explored(99) < 0.05


def test_options_are_checked():
    with pytest.raises(ValueError, match="drift_price"):
        gain_cost.GainCost(drift_price=-1)
    with pytest.raises(ValueError, match="memory"):
        gain_cost.GainCost(memory=1.0)
