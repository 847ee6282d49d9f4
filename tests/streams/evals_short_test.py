import collections

import pytest

from fastslow import registry, streams
from fastslow.streams import evals_short, splits


@pytest.mark.parametrize("name", evals_short.SETS)
def test_the_table_says_what_the_data_are(name):
    instruction, examples = evals_short.usable(name, seed=0)
    chosen = evals_short.SETS[name]
    counts = collections.Counter(example.target for example in examples)
    assert set(counts) == set(chosen.choices)
    assert max(counts.values()) / len(examples) == pytest.approx(chosen.majority, abs=0.005)
    assert instruction
    assert {example.choices for example in examples} == {chosen.choices}
    row = next(line for line in evals_short.__doc__.splitlines() if line.split()[:1] == [name])
    assert int(row.split()[1]) == len(examples)
    assert f" {chosen.majority:.2f} " in row


@pytest.mark.parametrize("name", evals_short.SETS)
def test_inputs_are_short_and_stripped(name):
    _, examples = evals_short.usable(name, seed=0)
    lengths = sorted(len(example.input) for example in examples)
    assert lengths[len(lengths) * 95 // 100] < 400  # characters: about 100 tokens
    assert all(example.input == example.input.strip() != "" for example in examples)


def test_sets_that_may_not_be_used_commercially_are_never_a_default():
    assert "locations" not in evals_short.DEFAULT
    assert set(evals_short.DEFAULT) <= set(evals_short.SETS)


def test_questions_about_one_story_stay_in_one_split():
    task = streams.build("evals_short:locations").tasks["locations"]
    stories = [set(map(evals_short.story, split)) for split in task_splits(task)]
    assert len(stories[0]) > 900
    assert not stories[0] & stories[1]
    assert not stories[0] & stories[2]
    assert not stories[1] & stories[2]


def task_splits(task):
    return splits.Splits(task.train, task.validation, task.test)


def test_options_choose_tasks_and_sizes():
    stream = streams.build(
        "evals_short", {"tasks": ("food", "word_class"), "validation": 10, "test": 20}
    )
    assert list(stream.tasks) == ["food", "word_class"]
    assert [(len(t.validation), len(t.test)) for t in stream.tasks.values()] == [(10, 20)] * 2


def test_the_split_depends_on_its_own_seed():
    first, second = (
        streams.build("evals_short", {"tasks": "word_class", "split_seed": n}).tasks["word_class"]
        for n in (0, 1)
    )
    assert first.test != second.test


def test_commas_and_tuples_name_the_same_tasks():
    text = streams.build("evals_short", {"tasks": "word_class, food"})
    assert list(text.tasks) == ["word_class", "food"]


def test_an_unknown_set_suggests_the_nearest():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'food'"):
        streams.build("evals_short", {"tasks": "fod"})
