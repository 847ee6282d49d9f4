"""Plasticity: how well tasks are learned while they are taught."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fastslow.metrics import matrix as matrices


def learning_accuracy(matrix: matrices.AccuracyMatrix) -> np.ndarray:
    """Return per task (tasks,) A[t_i, i], t_i the first row after its *last* lesson.

    NaN where the task was never trained or not evaluated there. Source: Riemer et al. 2019
    (arXiv 1810.11910), whose average over tasks is the learning accuracy.
    """
    return matrices.cells(matrix, matrices.last_trained(matrix))


def intransigence(matrix: matrices.AccuracyMatrix, reference: Mapping[str, float]) -> np.ndarray:
    """Return per task (tasks,) reference_i - A[t_i, i]; positive = could not learn.

    `reference` holds scores of a single-task or joint run by task name; NaN where it has none.
    Source: Chaudhry et al. 2018 (arXiv 1801.10112), equation 8.
    """
    wanted = [reference.get(name, float("nan")) for name in matrix.task_names]
    return np.array(wanted, dtype=np.float64) - learning_accuracy(matrix)
