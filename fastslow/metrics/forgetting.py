"""Forgetting: how much of what was once known after training is lost at the end."""

from __future__ import annotations

import numpy as np

from fastslow.metrics import matrix as matrices


def forgetting(matrix: matrices.AccuracyMatrix) -> np.ndarray:
    """Return per task (tasks,) max_{t_i <= t < T} A[t, i] - A[T, i]; positive = forgot.

    t_i is the first row after the *last* lesson of task i, so with repeats this is what was lost
    since the last repeat. Negative where later tasks helped. NaN where there is nothing to compare:
    never trained, not evaluated at the end, not evaluated in t_i .. T-1, or last trained just
    before T (the final task of a sequence, which the usual average also leaves out).
    Source: Chaudhry et al. 2018 (arXiv 1801.10112), equation 3, with the maximum from t_i on.
    """
    final = matrix.scores[-1]
    starts = matrices.last_trained(matrix)
    best = [_best(matrix.scores[start:-1, task], start) for task, start in enumerate(starts)]
    return np.array(best) - final


def _best(history: np.ndarray, start: int) -> float:
    """Return the highest known score, NaN if there is none or the task was never trained."""
    known = history[~np.isnan(history)]
    return float(known.max()) if start != matrices.NEVER and known.size else float("nan")
