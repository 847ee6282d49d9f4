"""Matrices worked out by hand, and one drawn at random, for the tests of this folder."""

import numpy as np

from fastslow.metrics import matrix as matrices

NAN = float("nan")


def build(scores, trained, names=None):
    """Return a matrix from rows of scores and, per row, a string of one-letter task names."""
    scores = np.array(scores, dtype=np.float64)
    names = names or tuple("abcdefgh"[: scores.shape[1]])
    events = tuple(3 * row for row in range(len(scores)))
    return matrices.AccuracyMatrix(scores, names, events, tuple(map(frozenset, trained)))


def three_tasks():
    """One row per task: a loses a little and recovers, b loses much, c comes last."""
    return build(
        [[0.1, 0.2, 0.3], [0.8, 0.3, 0.3], [0.6, 0.9, 0.4], [0.7, 0.5, 1.0]],
        ["", "a", "b", "c"],
    )


def repeated():
    """The sequence a b, twice; task c is evaluated and never trained."""
    return build(
        [
            [0.0, 0.1, 0.2],
            [0.9, 0.3, 0.2],
            [0.4, 0.8, 0.3],
            [0.7, 0.5, 0.4],
            [0.6, 0.9, 0.5],
        ],
        ["", "a", "b", "a", "b"],
    )


def random(seed):
    """Any number of rows and tasks, lessons and holes anywhere."""
    rng = np.random.default_rng(seed)
    rows, tasks = int(rng.integers(1, 7)), int(rng.integers(1, 5))
    scores = rng.random((rows, tasks))
    scores[rng.random((rows, tasks)) < 0.25] = NAN
    names = "abcdefgh"[:tasks]
    trained = [[n for n in names if row and rng.random() < 0.4] for row in range(rows)]
    return build(scores, trained)


def rows_with_lessons(matrix, name):
    """Return the rows before which the task was trained, by a plain loop."""
    return [row for row in range(len(matrix.scores)) if name in matrix.trained[row]]
