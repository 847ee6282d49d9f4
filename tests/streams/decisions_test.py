import collections
import itertools

import pytest

from fastslow import registry, types
from fastslow.streams import decisions, errors, evals_short, splits

SIZES = {"validation": 8, "test": 20, "split_seed": 0}


@pytest.mark.parametrize("skill", decisions.DECISIONS)
def test_a_decision_is_a_set_whose_answers_it_knows(skill):
    decision = decisions.get(skill)
    assert set(decision.source) == set(evals_short.SETS[skill].choices)
    for part in decisions.split(skill, balanced=True, **SIZES):
        counts = collections.Counter(example.target for example in part)
        assert set(counts) == set(decision.source)
        assert len(set(counts.values())) == 1
        assert not any(decision.prefix and decision.prefix in example.input for example in part)


def test_without_balance_the_answers_are_as_frequent_as_in_the_source():
    parts = decisions.split("heart_disease", balanced=False, **SIZES)
    counts = collections.Counter(example.target for part in parts for example in part)
    assert counts == {"1": 508, "0": 410}


def test_yes_means_that_the_statement_is_true():
    answers = decisions.Answers("it is", "it is not")
    parts = decisions.split("food", balanced=True, **SIZES)
    task = decisions.task("t", "food", parts, answers, "", "skill")
    truth = {
        example.input: example.target for part in task_parts(task) for example in part
    }  # words of the set whose truth is plain
    assert truth["bockwurst"] == "it is"
    assert {truth[word] for word in ("histology", "epigenetic")} == {"it is not"}


def test_an_answer_of_the_source_is_no_longer_right():
    source = types.Example("1", "abalone", "Yes", ("Yes", "No"), {"accepted": "Sure\nYes"})
    parts = splits.Splits((source,), (source,), (source,))
    task = decisions.task("t", "food", parts, decisions.Answers("A", "B"), "", "skill")
    assert task.test[0].choices == ("A", "B")
    assert [task.scorer(x, task.test[0]).value for x in ("A", "B", "Yes", "Sure")] == [1, 0, 0, 0]


def test_the_instruction_tells_the_answers_only_if_given_them():
    answers = decisions.Answers("thumbs up", "thumbs down")
    told, bare = decisions.instruction("food", answers), decisions.instruction("food", None)
    assert "has to do with food" in told
    assert "has to do with food" in bare
    assert [answer in told for answer in answers] == [True, True]
    assert [answer in bare for answer in answers] == [False, False]


@pytest.mark.parametrize("answers", [("", "B"), ("A", " A "), ("  ", "B")])
def test_answers_that_cannot_be_told_apart_are_an_error(answers):
    parts = decisions.split("food", balanced=True, **SIZES)
    with pytest.raises(errors.StreamError, match="two different texts"):
        decisions.task("t", "food", parts, decisions.Answers(*answers), "", "skill")


def test_an_unknown_skill_suggests_the_nearest():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'sentiment'"):
        decisions.get("sentimnt")


def task_parts(task):
    return task.train, task.validation, task.test


def check_no_training_item_is_tested(tasks):
    """Assert that no input is in different splits, of whichever tasks."""
    texts = {
        (name, split): set(map(splits.normalised_input, getattr(task, split)))
        for name, task in tasks.items()
        for split in ("train", "validation", "test")
    }
    for (a, b), (c, d) in itertools.product(texts, repeat=2):
        if b != d:
            assert not texts[a, b] & texts[c, d], (a, b, c, d)
