"""What did not change is not computed again, and what changed is."""

import weakref

import pytest

from fastslow import types
from fastslow.learners import memo


@pytest.fixture
def counted():
    """A memo, and a function that asks it for a result that counts the computations."""
    remembered, done = memo.Memo(), []

    def ask(key, weights, inputs):
        def compute():
            done.append(key)
            return len(done), types.Cost(prompt_tokens=7, flops=2.0, seconds=3.0)

        return remembered(key, weights, inputs, compute)

    return ask


def test_the_same_weights_and_inputs_are_asked_once_and_charged_twice(counted):
    weights = {"w": [1.0]}
    first, cost = counted("a", weights, "prompt")
    again, repeated = counted("a", weights, "prompt")
    assert first == again == 1
    assert repeated == cost._replace(seconds=0.0)


def test_other_weights_are_other_weights_even_if_equal(counted):
    assert counted("a", {"w": [1.0]}, "prompt")[0] == 1
    assert counted("a", {"w": [1.0]}, "prompt")[0] == 2


def test_other_inputs_and_other_keys_are_asked(counted):
    weights = object()
    assert counted("a", weights, "prompt")[0] == 1
    assert counted("a", weights, "other")[0] == 2
    assert counted("b", weights, "other")[0] == 3
    assert counted("a", weights, "other")[0] == 2
    assert counted("a", weights, "prompt")[0] == 4  # only the newest is kept


def test_two_states_in_turn_are_asked_once_each(counted):
    before, after = object(), object()
    found = [counted("a", weights, "prompt")[0] for weights in (before, after, before, after)]
    assert found == [1, 2, 1, 2]


def test_weights_that_others_have_replaced_are_let_go():
    class Weights:
        pass

    remembered, alive = memo.Memo(), []
    base = Weights()
    for task in range(10):
        weights = Weights()
        alive.append(weakref.ref(weights))
        remembered(("predict", task), weights, "prompt", lambda: (1, types.Cost()))
        remembered("base", base, "", lambda: (1, types.Cost()))
        del weights
    assert sum(ref() is not None for ref in alive) <= 3
