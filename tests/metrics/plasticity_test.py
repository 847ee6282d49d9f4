import numpy as np
import pytest

from fastslow.metrics import matrix as matrices
from fastslow.metrics import plasticity
from tests.metrics import worked

NAN = float("nan")


def test_learning_accuracy_worked_example():
    values = plasticity.learning_accuracy(worked.three_tasks())
    np.testing.assert_array_equal(values, [0.8, 0.9, 1.0])
    assert matrices.mean(values) == pytest.approx(0.9)


def test_learning_accuracy_with_repeats_reads_the_last_lesson():
    np.testing.assert_array_equal(plasticity.learning_accuracy(worked.repeated()), [0.7, 0.9, NAN])


def test_learning_accuracy_not_evaluated_is_nan():
    matrix = worked.build([[0.1], [NAN], [0.9]], ["", "a", ""])
    np.testing.assert_array_equal(plasticity.learning_accuracy(matrix), [NAN])


def test_intransigence_is_positive_where_the_task_could_not_be_learned():
    values = plasticity.intransigence(worked.three_tasks(), {"a": 0.9, "b": 0.7})
    np.testing.assert_allclose(values, [0.1, -0.2, NAN])
