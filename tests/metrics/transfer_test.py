import numpy as np
import pytest

from fastslow.metrics import matrix as matrices
from fastslow.metrics import transfer
from tests.metrics import worked

NAN = float("nan")


def test_backward_transfer_worked_example():
    values = transfer.backward_transfer(worked.three_tasks())
    np.testing.assert_allclose(values, [-0.1, -0.4, NAN])
    assert matrices.mean(values) == pytest.approx(-0.25)


def test_backward_transfer_is_positive_where_later_lessons_help():
    matrix = worked.build([[0.1, 0.1], [0.5, 0.1], [0.8, 0.6]], ["", "a", "b"])
    np.testing.assert_allclose(transfer.backward_transfer(matrix), [0.3, NAN])


def test_backward_transfer_with_repeats_counts_from_the_last_lesson():
    np.testing.assert_allclose(transfer.backward_transfer(worked.repeated()), [-0.1, NAN, NAN])


def test_forward_transfer_worked_example():
    # b: row 1 - row 0 = 0.3 - 0.2; c: row 2 - row 0 = 0.4 - 0.3; nothing was taught before a.
    np.testing.assert_allclose(transfer.forward_transfer(worked.three_tasks()), [NAN, 0.1, 0.1])


def test_forward_transfer_with_repeats_looks_before_the_first_lesson():
    # b: row 1 - row 0, although its last lesson came before row 4.
    np.testing.assert_allclose(transfer.forward_transfer(worked.repeated()), [NAN, 0.2, NAN])


def test_forward_transfer_depends_on_the_method():
    """The baseline is the model's own first row, so two methods can differ."""
    helped = worked.build([[0.1, 0.1], [0.5, 0.4], [0.5, 0.6]], ["", "a", "b"])
    hurt = worked.build([[0.1, 0.1], [0.5, 0.0], [0.5, 0.6]], ["", "a", "b"])
    assert transfer.forward_transfer(helped)[1] == pytest.approx(0.3)
    assert transfer.forward_transfer(hurt)[1] == pytest.approx(-0.1)


@pytest.mark.filterwarnings("error")
def test_holes_make_nan():
    matrix = worked.build(
        [[0.1, 0.1, NAN], [NAN, NAN, 0.3], [0.4, 0.5, 0.6], [0.5, 0.5, 0.5]], ["", "a", "b", "c"]
    )
    np.testing.assert_equal(transfer.backward_transfer(matrix), [NAN, 0.0, NAN])
    np.testing.assert_equal(transfer.forward_transfer(matrix), [NAN, NAN, NAN])


@pytest.mark.parametrize("seed", range(40))
def test_agree_with_a_plain_loop(seed):
    matrix = worked.random(seed)
    scores, end = matrix.scores, len(matrix.scores) - 1
    for task, name in enumerate(matrix.task_names):
        rows = worked.rows_with_lessons(matrix, name)
        backward = scores[end, task] - scores[rows[-1], task] if rows and rows[-1] < end else NAN
        forward = scores[rows[0] - 1, task] - scores[0, task] if rows and rows[0] > 1 else NAN
        np.testing.assert_equal(transfer.backward_transfer(matrix)[task], backward)
        np.testing.assert_equal(transfer.forward_transfer(matrix)[task], forward)
