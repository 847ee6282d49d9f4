import math

import pytest

from fastslow import types
from fastslow.evaluation import constant, scorers


def task(targets, scorer=scorers.exact_match):
    test = tuple(types.Example(str(n), f"q{n}", target) for n, target in enumerate(targets))
    other = (types.Example("t", "train", "z"),) * 9  # what is frequent elsewhere does not count
    return types.Task("t", other, other, test, scorer)


def test_the_best_constant_is_the_most_frequent_target_under_exact_match():
    assert constant.best(task("aabab")) == ("a", pytest.approx(0.6))
    assert constant.best(task("ba")) == ("b", 0.5)  # the earlier of equals
    assert constant.best(task("a" * 3)) == ("a", 1.0)


def test_the_scorer_decides_what_an_answer_is_worth():
    def close(prediction, example):
        return types.Score(1 - abs(int(prediction) - int(example.target)) / 10, "")

    # 0: 1 1 0 0.5 -> 2.5; 5: .5 .5 .5 1 -> 2.5; 10: 0 0 1 .5 -> 1.5
    assert constant.best(task(("0", "0", "10", "5"), close)) == ("0", pytest.approx(0.625))
    assert constant.best(task(("0", "0", "10", "5", "5"), close)).answer == "5"


def test_only_frequent_targets_are_tried():
    calls = []

    def count(prediction, example):
        calls.append(prediction)
        return scorers.exact_match(prediction, example)

    targets = [str(n) for n in range(50)] + ["49"]
    assert constant.best(task(targets, count)) == ("49", pytest.approx(2 / 51))
    assert len(set(calls)) == 20


def test_without_targets_nothing_is_known():
    bare = types.Task("t", (), (), (object(),), scorers.exact_match)
    answer, score = constant.best(bare)
    assert answer is None
    assert math.isnan(score)
