"""What graded answers tell."""

import math

import pytest

from fastslow import types
from fastslow.evaluation import constant, evaluator, scorers


def graded(task, answers, choices=("yes", "no")):
    examples = [types.Example(str(i), "?", "yes", choices) for i in range(len(answers))]
    return evaluator.grade(task, examples, answers, 0)


def share(answers, **options):
    task = types.Task("a", (), (), (), scorer=scorers.exact_match)
    return evaluator.malformed_share(task, graded(task, answers, **options))


def test_wrong_answers_are_malformed_where_they_would_be_right_for_no_choice():
    assert share(["yes", "no", "I think yes", "perhaps"]) == pytest.approx(2 / 3)
    assert share(["no", "no", "yes"]) == 0.0


def test_where_nothing_is_wrong_or_any_answer_may_come_no_share_is_told():
    assert math.isnan(share(["yes", "yes"]))
    assert math.isnan(share(["41", "I think 42"], choices=()))


def test_predictions_about_vectors_have_no_form():
    task = types.Task("a", (), (), (), scorer=lambda prediction, label: types.Score(0.0, ""))
    assert math.isnan(evaluator.malformed_share(task, evaluator.grade(task, [3, 1], [2, 2], 0)))


def test_scores_that_are_none_stop_whoever_asks_for_them():
    def wild(prediction, example):
        return types.Score(17.0, "")

    task = types.Task("a", (), (), (types.Example("1", "?", "yes"),), scorer=wild)
    with pytest.raises(scorers.ScoreError, match=r"wild gave .*17"):
        evaluator.grade(task, task.test, ["yes"], 0)
    with pytest.raises(scorers.ScoreError, match=r"wild gave .*17"):
        constant.best(task)
