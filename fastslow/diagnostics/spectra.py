"""Formulas on matrices and units: effective rank, dormant units, relative size of a change."""

from __future__ import annotations

import numpy as np


def singular_values(matrix: np.ndarray) -> np.ndarray:
    """Return the singular values (min(n, m),) of (n, m) in float64, largest first.

    By way of the smaller Gram matrix: much faster for long matrices, and exact to about 1e-8 of the
    largest, which is below the rounding of the float32 numbers they come from.
    """
    wide = np.asarray(matrix, np.float64)
    gram = wide @ wide.T if wide.shape[0] < wide.shape[1] else wide.T @ wide
    return np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0))


def effective_rank(values: np.ndarray) -> float:
    """Return exp of the entropy of the singular values, divided by their sum.

    Between 1 (one direction) and their number (all equally strong); NaN if all are zero. Source:
    Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality".
    """
    total = float(np.sum(values))
    if total <= 0:
        return float("nan")
    shares = np.asarray(values, np.float64) / total
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))


def dormant_share(activity: np.ndarray, threshold: float) -> float:
    """Return the share of units whose mean |activation| is at most `threshold` of the layer's mean.

    activity: (units,) mean |activation| over inputs. A layer that is silent altogether is dormant
    altogether. Source: Sokar et al. 2023 (arXiv 2302.12902), definition 3.1.
    """
    mean = float(np.mean(activity))
    if mean == 0:
        return 1.0
    return float(np.mean(np.asarray(activity) / mean <= threshold))
