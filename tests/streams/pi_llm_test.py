import collections
import itertools

import pytest

from fastslow import streams
from fastslow.streams import errors, pi_llm
from tests.streams import decisions_test

FEW = {"train": 60, "validation": 10, "test": 30}


def build(**options):
    return streams.build("pi_llm", {**FEW, **options}).tasks


def test_the_target_is_the_last_value_of_the_key_asked_for():
    tasks = build(key_count=3, updates=(1, 4))
    assert list(tasks) == ["updates_1", "updates_4"]
    for times, task in zip((1, 4), tasks.values(), strict=True):
        for example in (*task.train, *task.validation, *task.test):
            *lines, question = example.input.split("\n")
            pairs = [line.split(": ") for line in lines]
            counts = collections.Counter(key for key, _ in pairs)
            assert sorted(counts.values()) == [times] * 3
            asked = question.removeprefix("What is the current ").removesuffix("?")
            assert dict(pairs)[asked] == example.target
            of_key = [value for key, value in pairs if key == asked]
            assert len(set(of_key)) == times
            assert set(of_key) <= set(example.choices)


def test_updates_of_the_keys_are_shuffled():
    task = build(key_count=2, updates=(3,))["updates_3"]
    orders = {tuple(line.split(":")[0] for line in e.input.split("\n")[:-1]) for e in task.train}
    assert len(orders) > 30
    last = [e.input.split("\n")[-2].endswith(f": {e.target}") for e in task.train]
    assert 0.2 < sum(last) / len(last) < 0.8  # the last line is right for one of two keys


def test_every_value_belongs_to_one_key_and_is_one_word():
    values = [value for key in pi_llm.VALUES for value in pi_llm.values_of(key)]
    assert len(values) == len(set(values))
    assert not [(a, b) for a, b in itertools.permutations(values, 2) if b.startswith(a)]
    assert pi_llm.most_updates() >= 8


def test_no_stream_of_updates_is_trained_on_and_tested():
    decisions_test.check_no_training_item_is_tested(build(key_count=1, updates="1,2", train=1))


def test_numbers_with_commas_are_numbers():
    assert list(build(updates="2, 5")) == ["updates_2", "updates_5"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key_count": 0}, "key_count must be from 1 to 8, got 0"),
        ({"key_count": 9}, "key_count must be from 1 to 8, got 9"),
        ({"updates": (0,)}, "updates must be from 1 to 10, got 0"),
        ({"updates": "3,eleven"}, "updates must be whole numbers"),
        ({"updates": "3,3"}, "two tasks are called 'updates_3'"),
        ({"updates": (1,), "key_count": 1}, r"only \d+ of 100 different items"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(errors.StreamError, match=message):
        build(**options)
