import collections

import pytest

from fastslow import types
from fastslow.streams import errors, splits


def numbered(count):
    return [types.Example(str(n), f"question {n}", str(n % 2)) for n in range(count)]


def test_sizes_are_exact_and_nothing_is_lost_without_groups():
    parts = splits.split(numbered(50), validation=7, test=11, seed=0)
    assert [len(part) for part in parts] == [32, 7, 11]
    assert {e.id for part in parts for e in part} == {str(n) for n in range(50)}


def test_split_depends_on_the_seed_alone():
    first = splits.split(numbered(50), validation=5, test=5, seed=1)
    assert first == splits.split(numbered(50), validation=5, test=5, seed=1)
    assert first.test != splits.split(numbered(50), validation=5, test=5, seed=2).test


def test_groups_stay_together():
    parts = splits.split(
        numbered(60), validation=7, test=11, seed=0, group=lambda e: str(int(e.id) // 6)
    )
    groups = [{int(e.id) // 6 for e in part} for part in parts]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert [len(part) for part in parts] == [60 - 12 - 12, 7, 11]  # the rest of a group is dropped


def test_equal_inputs_stay_together_by_default():
    twins = [types.Example(str(n), f"Question  {n // 2}" + " " * (n % 2), "x") for n in range(40)]
    parts = splits.split(twins, validation=10, test=10, seed=0)
    texts = [set(map(splits.normalised_input, part)) for part in parts]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]


@pytest.mark.parametrize(("validation", "test"), [(5, 5), (4, 20), (20, 4)])
def test_too_few_examples_are_an_error(validation, test):
    with pytest.raises(errors.StreamError, match="10 examples are too few"):
        splits.split(numbered(10), validation=validation, test=test, seed=0)


@pytest.mark.parametrize(("validation", "test"), [(0, 5), (5, 0), (-1, 5)])
def test_a_split_without_examples_is_an_error(validation, test):
    with pytest.raises(errors.StreamError, match="an example each"):
        splits.split(numbered(10), validation=validation, test=test, seed=0)


def test_distinct_keeps_the_first_of_each_text():
    twins = [
        types.Example("1", "Is it?", "a"),
        types.Example("2", "is  IT? ", "b"),
        types.Example("3", "is it", "c"),
    ]
    assert [e.id for e in splits.distinct(twins)] == ["1", "3"]


def test_capped_limits_each_target_and_keeps_the_order():
    examples = [
        types.Example(str(n), f"q{n}", "rare" if n % 5 == 0 else "often") for n in range(50)
    ]
    kept = splits.capped(examples, 15, seed=0)
    assert collections.Counter(e.target for e in kept) == {"often": 15, "rare": 10}
    assert [int(e.id) for e in kept] == sorted(int(e.id) for e in kept)
    assert kept == splits.capped(examples, 15, seed=0)
    assert kept != splits.capped(examples, 15, seed=1)


def test_balanced_keeps_as_many_of_each_target_as_the_rarest_has():
    examples = [types.Example(str(n), f"q{n}", "b" if n % 5 == 0 else "a") for n in range(50)]
    kept = splits.balanced(examples, seed=0)
    assert collections.Counter(e.target for e in kept) == {"a": 10, "b": 10}
    assert kept == splits.balanced(examples, seed=0) != splits.balanced(examples, seed=1)
    assert splits.balanced([], seed=0) == ()


def test_stratified_splits_have_every_target_equally_often():
    examples = [types.Example(str(n), f"q{n}", "abc"[min(n % 10, 2)]) for n in range(200)]
    parts = splits.stratified(examples, validation=6, test=13, seed=0)
    counts = [collections.Counter(e.target for e in part) for part in parts]
    assert counts[1] == {"a": 2, "b": 2, "c": 2}
    assert sorted(counts[2].values()) == [4, 4, 5]
    assert {e.id for part in parts for e in part} == {str(n) for n in range(200)}
    assert sum(map(len, parts)) == 200
    targets = [e.target for e in parts.train]
    assert targets != sorted(targets)  # mixed, not one target after the other
    assert parts == splits.stratified(examples, validation=6, test=13, seed=0)
    assert parts.test != splits.stratified(examples, validation=6, test=13, seed=1).test


def test_a_target_without_enough_examples_is_an_error():
    examples = [types.Example(str(n), f"q{n}", "ab"[n > 1]) for n in range(50)]
    with pytest.raises(errors.StreamError, match="2 examples are too few for 2 to validate"):
        splits.stratified(examples, validation=4, test=4, seed=0)
    with pytest.raises(errors.StreamError, match="an example of each of 2 answers, got 2, 1"):
        splits.stratified(examples, validation=2, test=1, seed=0)


def test_hands_are_dealt_evenly_by_target():
    examples = [types.Example(str(n), f"q{n}", "aab"[n % 3]) for n in range(30)]
    hands = splits.dealt(examples, 4)
    assert sorted(int(e.id) for hand in hands for e in hand) == list(range(30))
    for hand in hands:
        counts = collections.Counter(e.target for e in hand)
        assert counts["a"] == 5
        assert counts["b"] in (2, 3)
        assert [int(e.id) for e in hand] == sorted(int(e.id) for e in hand)


@pytest.mark.parametrize("make", [splits.split, splits.stratified])
def test_any_part_of_validation_holds_every_answer_in_proportion(make):
    items = [types.Example(str(i), f"word {i}", "yes" if i % 5 < 3 else "no") for i in range(200)]
    for seed in range(5):
        found = make(items, validation=40, test=40, seed=seed).validation
        share = sum(e.target == "yes" for e in found) / 40
        for part in (found[:16], found[-16:]):
            assert abs(sum(e.target == "yes" for e in part) - 16 * share) <= 1
