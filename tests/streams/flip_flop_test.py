import collections

import numpy as np
import pytest

from fastslow import registry, streams, types
from fastslow.streams import errors, flip_flop
from tests.streams import decisions_test

FEW = {"train": 200, "validation": 20, "test": 60}


def build(**options):
    return streams.build("flip_flop", {**FEW, **options})


def read_last(text):
    """Return the bit that the last r reads: a machine of one bit, written on its own."""
    memory = None
    *words, last = text.split()
    assert last == "r"
    for kind, bit in zip(words[::2], words[1::2], strict=True):
        assert bit in "01"
        if kind == "w":
            memory = bit
        elif kind == "r":
            assert bit == memory  # reads in between are true
        else:
            assert kind == "i"
    return memory


def test_the_target_is_the_bit_written_last():
    for task in build().tasks.values():
        for example in (*task.train, *task.validation, *task.test):
            assert example.input.startswith("w ")
            assert read_last(example.input) == example.target
            assert len(example.input.split()) == 2 * 16 - 1


@pytest.mark.parametrize("ignore", [0.0, 0.1, 0.8, 1.0])
def test_instructions_are_drawn_with_their_probabilities(ignore):
    rng = np.random.default_rng(0)
    kinds, bits = collections.Counter(), collections.Counter()
    for _ in range(300):
        words = flip_flop.string(rng, length=42, ignore=ignore).input.split()
        kinds.update(words[2:-1:2])
        bits.update(b for k, b in zip(words[::2], words[1::2], strict=False) if k != "r")
    total = 300 * 40
    for kind, share in {"i": ignore, "w": (1 - ignore) / 2, "r": (1 - ignore) / 2}.items():
        deviation = 5 * np.sqrt(total * share * (1 - share))
        assert abs(kinds[kind] - total * share) <= deviation
    assert bits["0"] / bits.total() == pytest.approx(0.5, abs=0.02)


def test_only_the_strings_in_distribution_are_taught():
    stream = build()
    assert set(stream.plan) == {"flip_flop"}
    assert list(stream.tasks) == ["flip_flop", "flip_flop_sparse", "flip_flop_dense"]
    ignored = {
        name: np.mean([e.input.split().count("i") / 14 for e in task.test])
        for name, task in stream.tasks.items()
    }
    assert ignored["flip_flop"] == pytest.approx(0.8, abs=0.06)
    assert ignored["flip_flop_sparse"] == pytest.approx(0.98, abs=0.03)
    assert ignored["flip_flop_dense"] == pytest.approx(0.1, abs=0.06)
    assert set(build(taught="flip_flop_dense").plan) == {"flip_flop_dense"}
    assert len(set(build(taught="").plan)) == 3
    lessons = [e for e in stream.events() if isinstance(e, types.Lesson)]
    assert {lesson.task_name for lesson in lessons} == {"flip_flop"}


def test_no_string_is_trained_on_and_tested_in_any_task():
    tasks = build(sparse=0.8, dense=0.8, length=11).tasks
    decisions_test.check_no_training_item_is_tested(tasks)


def test_bits_are_balanced_where_it_counts():
    for task in build().tasks.values():
        assert collections.Counter(e.target for e in task.test) == {"0": 30, "1": 30}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 1}, "length must be at least 2"),
        ({"ignore": 1.2}, "flip_flop: 1.2 is no probability"),
        ({"length": 4}, r"flip_flop: only \d+ of 280 different items found; make them longer"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(errors.StreamError, match=message):
        build(**options)


def test_teaching_an_unknown_task_suggests_the_nearest():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'flip_flop_dense'"):
        build(taught="flip_flop_dens")
