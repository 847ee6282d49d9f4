import pytest

from fastslow import streams
from fastslow.evaluation import constant
from fastslow.streams import decisions, errors
from tests.streams import decisions_test

SMALL = "food,heart_disease"


def test_every_skill_has_the_same_answers_and_its_own_question():
    tasks = streams.build("skills").tasks
    assert list(tasks) == list(decisions.DECISIONS)
    assert {e.choices for task in tasks.values() for e in task.test} == {("True", "False")}
    assert len({task.seed_prompt for task in tasks.values()}) == len(tasks)
    assert {task.kind for task in tasks.values()} == {"skill"}
    assert [constant.best(task).score for task in tasks.values()] == [0.5] * len(tasks)
    decisions_test.check_no_training_item_is_tested(tasks)


def test_without_balance_a_constant_answer_pays():
    tasks = streams.build("skills", {"skills": SMALL, "balanced": False}).tasks
    assert constant.best(tasks["heart_disease"]).score == pytest.approx(508 / 918, abs=0.1)
    assert constant.best(tasks["heart_disease"]).score > 0.5


def test_the_words_can_be_chosen_and_kept_back():
    options = {"skills": SMALL, "answers": "Yes, No", "reveal": False}
    for task in streams.build("skills", options).tasks.values():
        assert {e.target for e in task.test} == {"Yes", "No"}
        assert "Yes" not in task.seed_prompt.instruction


def test_the_default_words_cannot_be_copied_from_a_finding():
    task = streams.build("skills", {"skills": "heart_disease"}).tasks["heart_disease"]
    assert not any(word in e.input for e in task.test for word in ("True", "False"))


@pytest.mark.parametrize("answers", ["Yes", "Yes,No,Maybe", ()])
def test_answers_must_be_two(answers):
    with pytest.raises(errors.StreamError, match="must be two texts"):
        streams.build("skills", {"answers": answers})
