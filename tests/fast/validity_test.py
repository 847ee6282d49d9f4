import pytest

from fastslow import types
from fastslow.fast import validity
from fastslow.fast.proposers import contracts

LIMITS = contracts.Limits(max_demos=2, max_lessons=1, max_chars=60)
HELD_OUT = types.Example("h1", "A held-out  Question", "yes")


def prompt(**parts):
    return types.Prompt(**{"instruction": "Answer.", **parts})


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (types.Prompt(" \n"), "empty"),
        (prompt(demos=(types.Demo("i", "o"),) * 3), "3 demonstrations, 2 are allowed"),
        (prompt(lessons=("a", "b")), "2 lessons, 1 are allowed"),
        (prompt(instruction="x" * 61), "61 characters, 60 are allowed"),
        (prompt(demos=(types.Demo("a held-out question", "yes"),)), "held-out example 'h1'"),
        (prompt(lessons=('Asked "a HELD-OUT\nquestion".',)), "held-out example 'h1'"),
        (prompt(instruction="Not A held-out  Question!"), "held-out example 'h1'"),
    ],
)
def test_objection_says_why(bad, reason):
    assert reason in validity.objection(bad, LIMITS, [HELD_OUT])


def test_a_prompt_within_the_limits_is_fine():
    good = prompt(demos=(types.Demo("i", "o"),) * 2, lessons=("l",))
    assert validity.objection(good, LIMITS, [HELD_OUT]) is None


def test_an_input_is_shown_only_as_whole_words():
    sum_ = types.Example("s", "11 + 22", "33")
    assert not validity.shown(prompt(lessons=("11 + 223 is 234", "311 + 22 is 333")), [sum_])
    assert validity.shown(prompt(lessons=("(11 + 22)",)), [sum_]) == [sum_]


def test_short_inputs_are_looked_for_among_demonstrations_only():
    short = types.Example("s", "an", "yes")
    assert not validity.shown(prompt(instruction="Answer with an A."), [short])
    assert validity.shown(prompt(demos=(types.Demo(" AN", "no"),)), [short]) == [short]
