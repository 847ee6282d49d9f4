import numpy as np
import pytest

from fastslow.metrics import matrix as matrices
from tests.metrics import worked

NAN = float("nan")


def evaluation(event, **scores):
    return {"schema": 1, "event": event, "kind": "evaluation", "scores": scores, "counts": {}}


def lesson(event, task):
    return {"schema": 1, "event": event, "kind": "lesson", "task": task}


def test_rows_are_time_and_columns_are_tasks():
    matrix = matrices.from_records(
        [
            evaluation(0, a=0.1, b=0.2),
            lesson(1, "a"),
            lesson(2, "a"),
            evaluation(3, a=0.9, b=0.3),
            lesson(4, "b"),
            evaluation(5, a=0.5, b=0.8),
            {"schema": 1, "event": None, "kind": "quadrants"},
        ]
    )
    np.testing.assert_array_equal(matrix.scores, [[0.1, 0.2], [0.9, 0.3], [0.5, 0.8]])
    assert matrix.scores.dtype == np.float64
    assert matrix.task_names == ("a", "b")
    assert matrix.events == (0, 3, 5)
    assert matrix.trained == (frozenset(), {"a"}, {"b"})


def test_what_was_not_evaluated_is_nan_never_zero():
    matrix = matrices.from_records(
        [evaluation(0, a=0.1), lesson(1, "b"), evaluation(2, b=0.0, a=None)]
    )
    np.testing.assert_array_equal(matrix.scores, [[0.1, NAN], [NAN, 0.0]])


def test_a_lesson_without_a_later_evaluation_changes_nothing():
    rows = [evaluation(0, a=0.1), lesson(1, "a"), evaluation(2, a=0.2)]
    np.testing.assert_equal(
        matrices.from_records([*rows, lesson(3, "b")]), matrices.from_records(rows)
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "no evaluation"), ([lesson(0, "a"), evaluation(1, a=0.5)], "before the first")],
)
def test_records_without_an_untouched_row_are_refused(rows, message):
    with pytest.raises(matrices.MatrixError, match=message):
        matrices.from_records(rows)


def test_first_and_last_training_differ_when_a_task_is_repeated():
    matrix = worked.repeated()
    np.testing.assert_array_equal(matrices.first_trained(matrix), [1, 2, matrices.NEVER])
    np.testing.assert_array_equal(matrices.last_trained(matrix), [3, 4, matrices.NEVER])


@pytest.mark.parametrize("seed", range(20))
def test_training_rows_agree_with_a_plain_loop(seed):
    matrix = worked.random(seed)
    first, last = matrices.first_trained(matrix), matrices.last_trained(matrix)
    for task, name in enumerate(matrix.task_names):
        rows = worked.rows_with_lessons(matrix, name)
        assert first[task] == (rows[0] if rows else matrices.NEVER)
        assert last[task] == (rows[-1] if rows else matrices.NEVER)


def test_cells_picks_one_row_per_task():
    picked = matrices.cells(worked.three_tasks(), np.array([2, matrices.NEVER, 0]))
    np.testing.assert_array_equal(picked, [0.6, NAN, 0.3])


def test_average_accuracy_reads_the_last_row():
    assert matrices.average_accuracy(worked.three_tasks()) == pytest.approx(2.2 / 3)


def test_average_accuracy_leaves_out_what_was_not_evaluated():
    assert matrices.average_accuracy(worked.build([[0.5, 0.5], [0.9, NAN]], ["", "a"])) == 0.9


@pytest.mark.filterwarnings("error")
def test_mean_of_nothing_is_nan_without_a_warning():
    assert np.isnan(matrices.mean(np.array([NAN, NAN])))


@pytest.mark.parametrize("seed", range(10))
def test_csv_gives_back_the_same_matrix(seed):
    matrix = worked.random(seed)
    np.testing.assert_equal(matrices.from_csv(matrices.to_csv(matrix)), matrix)


def test_csv_is_readable():
    matrix = worked.build([[0.1, NAN], [1 / 3, 0.5]], ["", "ba"])
    assert matrices.to_csv(matrix) == (
        "event,trained,a,b\n0,,0.1,nan\n3,a;b,0.3333333333333333,0.5\n"
    )


def test_csv_quotes_awkward_task_names():
    matrix = worked.build([[0.1, 0.2]], [""], names=('say "hi", you', "line\nbreak"))
    np.testing.assert_equal(matrices.from_csv(matrices.to_csv(matrix)), matrix)


@pytest.mark.parametrize("name", ["a;b", "event"])
def test_csv_refuses_names_it_could_not_give_back(name):
    with pytest.raises(matrices.MatrixError, match=name):
        matrices.to_csv(worked.build([[0.1]], [""], names=(name,)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the columns"),
        ("time,a\n0,0.1\n", "expected the columns"),
        ("event,trained,a\n", "and a row"),
        ("event,trained,a\n0,,0.1\n3,a,oops\n", "line 3"),
        ("event,trained,a\n0,,0.1,0.2\n", "line 2"),
        ("event,trained,a\n0\n", "line 2"),
    ],
)
def test_csv_that_is_no_matrix_is_refused(text, message):
    with pytest.raises(matrices.MatrixError, match=message):
        matrices.from_csv(text)
