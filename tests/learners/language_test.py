"""What the learner of language models measures, and what it measures again."""

import types as namespaces

import pytest

from fastslow import config, types
from fastslow.learners import language


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
