"""What a run knows of a lesson without looking at it."""

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
