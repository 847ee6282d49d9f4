import pytest

from fastslow import types
from fastslow.streams import errors, generated


def draw(rng):
    number = int(rng.integers(30))
    return types.Example("", f"q{number}", str(number % 2))


def test_items_are_new_numbered_and_follow_the_seed():
    taken = {"q1", "q2"}
    found = generated.distinct("n", draw, 20, seed=0, taken=taken)
    assert [e.id for e in found] == [f"n-{n}" for n in range(20)]
    assert len({e.input for e in found}) == 20
    assert not {e.input for e in found} & {"q1", "q2"}
    assert taken == {"q1", "q2"} | {e.input for e in found}
    assert found == generated.distinct("n", draw, 20, seed=0, taken={"q1", "q2"})
    assert found != generated.distinct("n", draw, 20, seed=1, taken={"q1", "q2"})


def test_a_rule_with_too_few_items_is_an_error():
    with pytest.raises(errors.StreamError, match="n: only 28 of 40 different items"):
        generated.distinct("n", draw, 40, seed=0, taken={"q1", "q2"})
