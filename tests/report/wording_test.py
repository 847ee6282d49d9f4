import pytest

from fastslow.report import wording

NAN = float("nan")


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (wording.score, 0.5, "0.500"),
        (wording.score, None, "–"),
        (wording.score, NAN, "–"),
        (wording.change, 0.25, "+0.250"),
        (wording.change, -0.25, "−0.250"),
        (wording.change, -0.0001, "0.000"),
        (wording.change, NAN, "–"),
        (wording.divergence, 0.01234, "0.0123"),
        (wording.divergence, 1.2e-7, "1.2e-07"),
        (wording.divergence, 0.0, "0"),
        (wording.divergence, None, "–"),
        (wording.quantity, 950, "950"),
        (wording.quantity, 9999.4, "9999"),
        (wording.quantity, 12345, "12.3 k"),
        (wording.quantity, 999_999, "1 M"),
        (wording.quantity, 4.56e12, "4.56 T"),
        (wording.duration, 0.44, "0.4 s"),
        (wording.duration, 9.96, "10 s"),
        (wording.duration, 59.7, "1 min 00 s"),
        (wording.duration, 200, "3 min 20 s"),
        (wording.duration, 7500, "2 h 05 min"),
        (wording.duration, NAN, "–"),
    ],
)
def test_values_are_written_for_people(write, value, text):
    assert write(value) == text


def test_one_of_a_thing_has_no_s():
    assert [wording.count(n, "lesson") for n in (0, 1, 2)] == ["0 lessons", "1 lesson", "2 lessons"]


@pytest.mark.parametrize(
    ("fast", "slow", "text"),
    [(48, 4, "fast 48 calls, slow 4 steps"), (0, 4, "slow 4 steps"), (0, 0, "no channel")],
)
def test_budgets_name_only_the_channels_that_have_one(fast, slow, text):
    assert wording.budgets({"fast_budget": fast, "slow_steps": slow}) == text
