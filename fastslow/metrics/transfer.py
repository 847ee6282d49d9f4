"""Transfer between tasks: backward (to earlier tasks) and forward (to later ones).

Lopez-Paz and Ranzato 2017 (arXiv 1706.08840), equations 3 and 4, per task; average with
`matrix.mean`, which like theirs leaves out the tasks for which the quantity means nothing.
"""

from __future__ import annotations

import numpy as np

from fastslow.metrics import matrix as matrices


def backward_transfer(matrix: matrices.AccuracyMatrix) -> np.ndarray:
    """Return per task (tasks,) A[T, i] - A[t_i, i]; positive = later lessons helped.

    t_i is the first row after the *last* lesson of task i. NaN where t_i = T (nothing came later),
    where the task was never trained, or where either cell was not evaluated.
    """
    rows = matrices.last_trained(matrix)
    change = matrix.scores[-1] - matrices.cells(matrix, rows)
    return np.where(rows == len(matrix.scores) - 1, np.nan, change)


def forward_transfer(matrix: matrices.AccuracyMatrix) -> np.ndarray:
    """Return per task (tasks,) A[t - 1, i] - A[0, i]; positive = earlier lessons helped.

    t is the first row after the *first* lesson of task i, so t - 1 is the last look at a task that
    was never taught, repeats or not; the baseline is the untouched model. NaN where t - 1 = 0
    (nothing was taught before), where the task was never trained, or where either cell was not
    evaluated.
    """
    first = matrices.first_trained(matrix)
    before = np.where(first > 1, first - 1, matrices.NEVER)
    return matrices.cells(matrix, before) - matrix.scores[0]
