"""What a run knows of a lesson without looking at it."""

import math

from fastslow import run_state, types


def counts(taught, task):
    state = run_state.RunState(0, types.ModelState({}, {}), {}, tuple(taught))
    probe = run_state.probe(state, types.Lesson(0, task, ()))
    return probe.times_seen, probe.lessons_since, probe.lesson_number, probe.returns


def test_lessons_that_follow_each_other_are_one_visit():
    assert counts("", "a") == (0, 0, 0, 0)
    assert counts("aa", "a") == (2, 1, 2, 0)
    assert counts("aab", "a") == (2, 2, 3, 1)
    assert counts("aaba", "a") == (3, 1, 4, 1)
    assert counts("aabab", "a") == (3, 2, 5, 2)
    assert counts("aabab", "c") == (0, 0, 5, 0)


def test_a_channel_is_worth_what_it_gained_per_compute_when_it_was_used_last():
    def part(channel, outcome, gain, flops):
        return types.Absorbed(channel, outcome, "", cost=types.Cost(flops=flops), gain=gain)

    old = run_state.worth({}, [part("fast", "changed", 0.5, 2e12), part("slow", "skipped", 0.0, 0)])
    assert old == {"fast": 0.25}
    new = run_state.worth(
        old, [part("fast", "failed", 0.0, 1e12), part("slow", "rejected", -0.1, 4e12)]
    )
    assert new == {"fast": 0.25, "slow": -0.025}
    assert run_state.worth(new, [part("slow", "changed", math.nan, 4e12)]) == new
    state = run_state.RunState(0, types.ModelState({}, {}), {}, worth=new)
    probe = run_state.probe(state, types.Lesson(0, "a", ()))
    assert (probe.fast_worth, probe.slow_worth) == (0.25, -0.025)
