"""What the learner of language models measures, and what it measures again."""

import dataclasses
import types as namespaces

import numpy as np
import pytest

from fastslow import config, types
from fastslow.learners import language, memo


def examples(split, targets="xy"):
    return tuple(types.Example(str(n), f"{split} {n}", t) for n, t in enumerate(targets))


TASK = types.Task(  # the ids of its splits are the same
    "a", examples("train"), examples("validation"), examples("test"), scorer=lambda *_: None
)
STATE = types.ModelState(slow={"w": 1.0}, fast={})


@pytest.fixture
def parts():
    """Channels that know the prompt and nothing else."""
    fast = namespaces.SimpleNamespace(
        best=lambda state, task: types.Prompt("Answer."), export=None, reselect=None
    )
    slow = namespaces.SimpleNamespace(variables=lambda state: {})
    return language.Language(None, None, fast, slow, config.Evaluation(drift_examples=2))


def test_answers_are_remembered_by_what_was_asked_and_not_by_ids(parts, monkeypatch):
    asked = []

    def predict(parts, state, task, split, seed, temperature):
        asked.append(split)
        return [example.input for example in split], types.Cost()

    monkeypatch.setattr(language, "predict", predict)
    learner = language.learner_of(parts)
    for split in (TASK.validation, TASK.test, TASK.validation):
        found, _ = learner.predict(STATE, TASK, split, 0, 0.0)
        assert found == [example.input for example in split]
    assert asked == [TASK.validation, TASK.test]


def test_states_are_alike_for_a_task_if_weights_and_its_prompt_are_the_same(parts):
    fast = namespaces.SimpleNamespace(
        best=lambda state, task: state[task], export=None, reselect=None
    )
    learner = language.learner_of(parts._replace(fast=fast))
    before = types.ModelState(slow={"w": 1.0}, fast={"a": 1, "b": 1})
    after = before._replace(fast={"a": 1, "b": 2})
    assert learner.alike(before, after, "a")
    assert not learner.alike(before, after, "b")
    assert not learner.alike(before, before._replace(slow={"w": 1.0}), "a")


def test_drift_is_named_by_direction_and_the_base_model_reads_once(parts):
    task = dataclasses.replace(TASK, validation=examples("validation", ["x", "xyz", "unused"]))
    chat = namespaces.SimpleNamespace(encode=lambda messages: ((), (1,)), encode_answer=tuple)
    base, read_by = {"w": 0}, []

    def read(variables, requests, answers):
        assert answers == (tuple("x"), tuple("xyz"))
        read_by.append(variables)
        return variables, types.Cost(prompt_tokens=5)

    def divergence(p, q):
        assert q == {"params": base}
        return 1.0, 6.0

    model = namespaces.SimpleNamespace(chat=chat, params=base)
    engine = namespaces.SimpleNamespace(read=read, divergence=divergence)
    measured = parts._replace(model=model, engine=engine)
    known = memo.Memo()
    for _ in range(2):
        report, cost = language.drift(measured, STATE, task, known)
        assert report["with_prompt"] == report["without_prompt"] == (1.0, 6.0)
        assert report["with_prompt"].trained_base == 1.0
        assert cost.prompt_tokens == 20  # as if it read again: a resumed run remembers nothing
    assert read_by.count({"params": base}) == 2  # with the prompt and without


@pytest.mark.parametrize("name", ["grpo", "cispo"])
def test_a_single_answer_is_refused_where_answers_are_compared(name):
    settings = language.Gradient(rollouts=1, objective=config.Plugin(name))
    with pytest.raises(config.ConfigError, match=rf"slow\.rollouts must be at least 2 .*{name}"):
        language._gradient(None, settings, None)


@pytest.mark.parametrize(("finished", "answer"), [(True, "yes"), (False, "yes…")])
def test_an_answer_that_was_cut_ends_in_an_ellipsis(parts, monkeypatch, finished, answer):
    given = types.Completion("yes", np.arange(1), np.zeros(1, np.float32), finished)
    policy = namespaces.SimpleNamespace(complete=lambda *args, **how: ([given], types.Cost()))
    monkeypatch.setattr(language.policies, "LanguagePolicy", lambda *args: policy)
    assert language.predict(parts, STATE, TASK, TASK.test[:1], 0, 0.0) == ([answer], types.Cost())
