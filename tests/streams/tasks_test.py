import pytest

from fastslow import types
from fastslow.streams import errors, tasks


def test_examples_are_numbered():
    assert tasks.examples([("2 + 2 =", "4"), ("1 + 1 =", "2")]) == (
        types.Example("0", "2 + 2 =", "4"),
        types.Example("1", "1 + 1 =", "2"),
    )


def test_make_splits_prompts_and_scores():
    items = tasks.examples((f"{n} + 1 =", str(n + 1)) for n in range(30))
    task = tasks.make("add", items, "Answer with a number.", validation=4, test=6)
    assert (task.name, len(task.train), len(task.validation), len(task.test)) == ("add", 20, 4, 6)
    assert task.seed_prompt == types.Prompt("Answer with a number.")
    assert task.scorer(task.test[0].target, task.test[0]).value == 1.0


def test_the_split_follows_its_seed():
    items = tasks.examples((f"{n} + 1 =", str(n + 1)) for n in range(30))
    made = [tasks.make("add", items, "", validation=4, test=6, split_seed=n) for n in (0, 0, 1)]
    assert made[0].test == made[1].test != made[2].test


def test_make_says_when_there_is_too_little():
    with pytest.raises(errors.StreamError, match="too few"):
        tasks.make("add", tasks.examples([("1", "2")]), "")


def test_names_may_be_a_sequence_or_have_commas_between():
    assert tasks.listed("a, b,c") == tasks.listed(["a", "b", "c"]) == ("a", "b", "c")


def test_demonstrated_examples_cover_the_answers_and_are_not_taught():
    items = tasks.examples((f"item {n}", "yes" if n % 10 else "no") for n in range(60))
    task = tasks.make("it", items, "Answer.", validation=4, test=6)
    shown = tasks.demonstrated(task, 4, seed=0)
    demos = shown.seed_prompt.demos
    assert shown.seed_prompt.instruction == "Answer."
    assert sorted(demo.output for demo in demos) == ["no", "no", "yes", "yes"]
    assert len(shown.train) == len(task.train) - 4
    assert {e.input for e in task.train} == {e.input for e in shown.train} | {
        d.input for d in demos
    }
    assert (shown.validation, shown.test) == (task.validation, task.test)
    assert tasks.demonstrated(task, 4, seed=0) == shown
    assert tasks.demonstrated(task, 4, seed=1).seed_prompt != shown.seed_prompt
    assert tasks.demonstrated(task, 0, seed=0) is task


def test_something_must_be_left_to_teach():
    items = tasks.examples((f"item {n}", "yes") for n in range(20))
    task = tasks.make("it", items, "Answer.", validation=4, test=6)
    with pytest.raises(errors.StreamError, match="10 training examples, too few to show 10"):
        tasks.demonstrated(task, 10, seed=0)
