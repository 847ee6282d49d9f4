import numpy as np
import pytest

from fastslow import types
from fastslow.evaluation import scorers

OPEN = types.Example("1", "Where is the ball?", "box")
CLOSED = types.Example("2", "Is it sarcastic?", "1", choices=("0", "1"))
SEVERAL = types.Example("3", "Which hand?", "One pair", metadata={"accepted": "Pair\nA pair"})


@pytest.mark.parametrize("example", [OPEN, CLOSED, SEVERAL])
def test_the_target_is_right_white_space_around_it_or_not(example):
    assert scorers.exact_match(example.target, example) == (1.0, "correct")
    assert scorers.exact_match(f"\n {example.target} \n", example) == (1.0, "correct")


@pytest.mark.parametrize("answer", ["", "Box", "box.", "the box", "boxbox", "b ox", "bo"])
def test_anything_else_is_wrong(answer):
    assert scorers.exact_match(answer, OPEN).value == 0.0


@pytest.mark.parametrize("answer", ["", "0", "1.", "01", "2", "one"])
def test_anything_but_the_right_choice_is_wrong(answer):
    assert scorers.exact_match(answer, CLOSED).value == 0.0


@pytest.mark.parametrize("answer", ["Pair", "A pair", " Pair "])
def test_further_accepted_answers_are_right(answer):
    assert scorers.exact_match(answer, SEVERAL).value == 1.0


def test_accepted_answers_are_no_substrings():
    assert scorers.exact_match("pair", SEVERAL).value == 0.0
    assert scorers.exact_match("Pair\nA pair", SEVERAL).value == 0.0


def test_targets_are_stripped_too():
    assert scorers.exact_match("box", OPEN._replace(target=" box ")).value == 1.0


@pytest.mark.parametrize(
    ("answer", "feedback"),
    [
        ("", "expected exactly box; got nothing"),
        ("Box.", "expected exactly box; got 'Box.': case and punctuation matter"),
        ("bag", "expected exactly box; got 'bag'"),
        (
            "The ball is in the box.",
            "expected exactly box; got a sentence: 'The ball is in the box.'",
        ),
    ],
)
def test_open_feedback_says_what_was_expected_and_what_came(answer, feedback):
    assert scorers.exact_match(answer, OPEN).feedback == feedback


@pytest.mark.parametrize(
    ("answer", "feedback"),
    [
        ("0", "wrong choice: 0; the right one is 1"),
        ("", "expected exactly one of: 0, 1; got nothing; the right one is 1"),
        (
            "It is 1 of those things",
            "expected exactly one of: 0, 1; got a sentence: 'It is 1 of those things';"
            " the right one is 1",
        ),
        (
            "1.",
            "expected exactly one of: 0, 1; got '1.': case and punctuation matter;"
            " the right one is 1",
        ),
    ],
)
def test_closed_feedback_tells_a_wrong_choice_from_none(answer, feedback):
    assert scorers.exact_match(answer, CLOSED).feedback == feedback


def test_feedback_lists_all_accepted_answers():
    assert "One pair or Pair or A pair" in scorers.exact_match("Flush", SEVERAL).feedback


def test_feedback_does_not_repeat_a_long_answer():
    assert len(scorers.exact_match("word " * 1000, OPEN).feedback) < 150


@pytest.mark.parametrize(
    "given",
    [
        1.0,
        None,
        *(types.Score(value, "") for value in (17.0, -0.1, float("nan"), "1", None)),
    ],
)
def test_what_is_no_score_is_an_error_that_names_scorer_and_example(given):
    def lenient(prediction, example):
        return given

    with pytest.raises(scorers.ScoreError, match=r"lenient gave .* for example '2': it must"):
        scorers.score(lenient, "x", CLOSED)


@pytest.mark.parametrize("value", [0, 0.5, 1, True])
def test_values_from_0_to_1_are_scores(value):
    assert scorers.score(lambda *_: types.Score(value, "told"), "x", OPEN) == (value, "told")


def test_an_error_in_a_scorer_says_which_answer_it_was_looking_at():
    def careless(prediction, example):
        return types.Score(float(prediction), "")

    with pytest.raises(ValueError, match="could not convert") as caught:
        scorers.score(careless, "twelve", CLOSED)
    (note,) = caught.value.__notes__
    assert "careless was looking at 'twelve', the answer to example '2'" in note


def test_a_number_of_numpy_becomes_one_of_python():
    given = scorers.score(lambda *_: types.Score(np.float32(0.5), "half"), "box", OPEN)
    assert type(given.value) is float
    assert given == (0.5, "half")
