import numpy as np
import pytest

from fastslow.metrics import forgetting
from tests.metrics import worked

NAN = float("nan")


def test_worked_example():
    # a: max(0.8, 0.6) - 0.7; b: 0.9 - 0.5; c was trained last, nothing could make it forget yet.
    np.testing.assert_allclose(forgetting.forgetting(worked.three_tasks()), [0.1, 0.4, NAN])


def test_positive_transfer_is_negative_forgetting():
    matrix = worked.build([[0.1], [0.5], [0.6], [0.9]], ["", "a", "b", "c"])
    np.testing.assert_allclose(forgetting.forgetting(matrix), [-0.3])


def test_repeats_count_from_the_last_lesson():
    # a: 0.7 - 0.6 since row 3, although row 1 was 0.9; b was trained last; c never.
    np.testing.assert_allclose(forgetting.forgetting(worked.repeated()), [0.1, NAN, NAN])


def test_scores_from_before_the_last_lesson_do_not_count():
    matrix = worked.build([[1.0], [0.5], [0.4]], ["", "a", "b"])
    np.testing.assert_allclose(forgetting.forgetting(matrix), [0.1])


@pytest.mark.filterwarnings("error")
def test_holes_are_skipped_and_an_unknown_end_is_nan():
    matrix = worked.build(
        [
            [0.0, 0.0, 0.0],
            [NAN, 0.9, NAN],
            [0.6, 0.8, NAN],
            [0.5, NAN, 0.5],
        ],
        ["", "abc", "", ""],
    )
    np.testing.assert_allclose(forgetting.forgetting(matrix), [0.1, NAN, NAN])


@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_a_plain_loop(seed):
    matrix = worked.random(seed)
    end = len(matrix.scores) - 1
    for task, name in enumerate(matrix.task_names):
        rows = worked.rows_with_lessons(matrix, name)
        known = [
            matrix.scores[t, task]
            for t in range(rows[-1] if rows else end, end)
            if not np.isnan(matrix.scores[t, task])
        ]
        expected = max(known) - matrix.scores[end, task] if known else NAN
        np.testing.assert_equal(forgetting.forgetting(matrix)[task], expected)
