import sys

import pytest

from fastslow import registry, streams, types
from fastslow.streams import errors, reasoning_gym
from tests.streams import fake_gym


def build(names, **options):
    return streams.build("reasoning_gym", {"tasks": names, "train": 40, **options}).tasks


@pytest.fixture
def fake(monkeypatch):
    fake_gym.install(monkeypatch)


@pytest.mark.usefixtures("fake")
def test_items_come_from_the_data_sets_named():
    tasks = build("sums, raising", validation=5, test=6)
    assert list(tasks) == ["sums", "raising"]
    sums = tasks["sums"]
    assert [len(part) for part in (sums.train, sums.validation, sums.test)] == [40, 5, 6]
    assert len(sums.train[0].input.split("+")) == 2
    assert sums.seed_prompt == types.Prompt(reasoning_gym.INSTRUCTION)


@pytest.mark.usefixtures("fake")
def test_partial_credit_is_wrong():
    task = build("sums")["sums"]
    assert task.scorer(f" {task.test[0].target}\n", task.test[0]).value == 1.0
    value, feedback = task.scorer("0", task.test[0])
    assert value == 0.0
    assert f"expected exactly {task.test[0].target}" in feedback


@pytest.mark.usefixtures("fake")
def test_a_verifier_that_raises_says_wrong():
    task = build("raising")["raising"]
    assert task.scorer("no number", task.test[0]).value == 0.0
    assert task.scorer(task.test[0].target, task.test[0]).value == 1.0


@pytest.mark.usefixtures("fake")
def test_a_verifier_that_passes_junk_is_replaced():
    task = build("lenient")["lenient"]
    assert task.scorer("junk", task.test[0]).value == 0.0
    assert task.scorer(task.test[0].target, task.test[0]).value == 1.0


@pytest.mark.usefixtures("fake")
def test_equal_questions_count_once():
    task = build("repetitive", validation=5, test=6)["repetitive"]
    inputs = [e.input for e in (*task.train, *task.validation, *task.test)]
    assert len(inputs) == len(set(inputs)) < 51


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unanswered", "no reference answers"),
        ("unconfigured", "'unconfigured': must name its parts"),
        ("word_ladder", "PYTHONHASHSEED=0"),
    ],
)
def test_unusable_data_sets_say_why(monkeypatch, name, message):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    with pytest.raises(errors.StreamError, match=message):
        build(name)


@pytest.mark.usefixtures("fake")
def test_a_fixed_hash_seed_opens_the_data_sets_that_depend_on_it(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    assert list(build("word_ladder")) == ["word_ladder"]


@pytest.mark.usefixtures("fake")
def test_an_unknown_data_set_suggests_the_nearest():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'sums'"):
        build("sum")


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(errors.StreamError, match=r"pip install 'fastslow\[gym\]'"):
        build("chain_sum")


def test_the_real_package():
    pytest.importorskip("reasoning_gym", reason="the extra `gym` is not installed")
    names = "chain_sum,letter_counting,prime_factorization,game_of_life_halting"
    for name, task in build(names, validation=4, test=8).items():
        for example in task.test:
            assert task.scorer(example.target, example).value == 1.0, name
            assert task.scorer("I do not know.", example).value == 0.0, name
    first, second = (build("chain_sum", split_seed=n)["chain_sum"] for n in (0, 0))
    assert (first.train, first.test) == (second.train, second.test)
    assert first.test != build("chain_sum", split_seed=1)["chain_sum"].test
