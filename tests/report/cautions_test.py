import pytest

from fastslow.report import cautions, overview, records
from tests.report import synthetic

NAN = float("nan")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return records.read(synthetic.write(tmp_path_factory.mktemp("run")))


def _warnings(rows, final=0.75, answers=()):
    line = overview.TaskLine("sarcasm", 2, 0.02, 0.78, final, 0.03, 0.52)
    return cautions.warnings([line], rows, {"sarcasm": answers})


def test_a_failed_lesson_is_named_with_its_reason(rows):
    assert _warnings(rows) == [
        "Lesson 5 failed in the fast channel: ConnectionError: reflection <model> unreachable."
    ]


@pytest.mark.parametrize(
    ("score", "found"),
    [
        (0.65, ""),  # the standard error of 0.52 over 64 answers is 0.0625
        (0.64, "cannot be told from"),
        (0.40, "cannot be told from"),
        (0.39, "is below"),
        (NAN, ""),
    ],
)
def test_a_score_within_two_standard_errors_of_a_constant_answer_is_no_better(score, found):
    assert cautions.beside_constant(score, 0.52, 64) == found
    assert cautions.beside_constant(score, NAN, 64) == ""


def test_a_collapsed_task_is_named_with_both_scores(rows):
    found = _warnings(rows, final=0.55)[0]
    assert found == (
        "sarcasm: the last score, 0.550, cannot be told from the 0.520 of always answering “0”."
    )


@pytest.mark.parametrize(
    ("same", "other", "warned"), [(9, 1, True), (8, 2, False), (10, 0, True), (4, 0, False)]
)
def test_one_answer_to_everything_is_seen_without_constants_too(rows, same, other, warned):
    answers = [*[("a", "yes")] * (same - 1), ("b", "yes"), *[("b", "no")] * other]
    found = _warnings(rows[1:], answers=answers)
    told = f"sarcasm: {same} of the last {same + other} answers are “yes”, whatever is asked."
    assert (told in found) == warned


def test_answers_that_were_cut_are_told_of(rows):
    found = _warnings(rows[1:], answers=[("a", "well, th…"), ("b", "it is s…"), ("b", "b")])
    assert "sarcasm: 2 of the last 3 answers did not end within evaluation.max_tokens." in found
    assert len(_warnings(rows[1:], answers=[("a", "well, th…"), ("b", "b")])) == 1


def test_one_answer_to_questions_that_have_one_answer_is_right(rows):
    assert len(_warnings(rows, answers=[("a", "a")] * 20)) == 1  # the failed lesson


def test_a_task_that_was_never_taught_cannot_collapse(rows):
    line = overview.TaskLine("sarcasm", 0, 0.5, NAN, 0.5, NAN, 0.52)
    assert len(cautions.warnings([line], rows, {})) == 1


def test_the_precision_is_that_of_the_fewest_answers(rows):
    assert cautions.precision(rows) == (
        "A score is the mean of 64 test answers, so chance alone can move it by ±0.122 (95%)."
    )
    more = [*rows, {**rows[1], "counts": {"tomi": 16, "sarcasm": 0}}]
    assert "16 to 64 test answers, so chance alone can move it by ±0.245" in cautions.precision(
        more
    )
    assert cautions.precision([]) == ""
