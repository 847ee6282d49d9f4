import itertools

import pytest

from fastslow import streams
from fastslow.streams import errors, pi_llm
from tests.streams import decisions_test


def build(**options):
    return streams.build("pi_lessons", options).tasks


def facts(split):
    """Return {fact: value} of a split, checking that all questions about a fact agree."""
    told = {}
    for example in split:
        fact = example.id.split("-", 2)[2]
        assert told.setdefault(fact, example.target) == example.target
    return told


def test_every_task_updates_every_fact_and_asks_it_in_all_splits():
    tasks = build(key_count=10, update_count=4)
    assert list(tasks) == ["update_1", "update_2", "update_3", "update_4"]
    for task in tasks.values():
        assert facts(task.train) == facts(task.validation) == facts(task.test)
        assert len(facts(task.test)) == len(task.test) == 10
    for a, b in itertools.combinations(tasks.values(), 2):
        old, new = facts(a.test), facts(b.test)
        assert old.keys() == new.keys()
        assert not any(old[fact] == new[fact] for fact in old)


def test_a_question_names_its_fact_and_the_choices_are_of_its_kind():
    for example in build()["update_1"].train:
        _, _, owner, key = example.id.split("-")
        assert owner in example.input
        assert key in example.input
        assert example.target in pi_llm.values_of(key) == example.choices


def test_no_question_is_trained_on_and_tested():
    decisions_test.check_no_training_item_is_tested(build())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key_count": 65}, "key_count must be from 1 to 64, got 65"),
        ({"update_count": 11}, "update_count must be from 1 to 10, got 11"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(errors.StreamError, match=message):
        build(**options)
