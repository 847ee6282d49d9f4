"""Drift: exact Kullback-Leibler divergence between two models, in nats per token.

The direction is always named: KL(trained || base) is `kl(trained, base)`.
"""

from __future__ import annotations

import numpy as np


def kl(p_logits: np.ndarray, q_logits: np.ndarray) -> np.ndarray:
    """Return KL(p || q) in nats, summed over the last axis (the vocabulary), in float64.

    Logits (..., vocabulary) need not be normalised and may be -inf; where q excludes what p
    allows, the divergence is inf.
    """
    p, q = _log_softmax(p_logits), _log_softmax(q_logits)
    ratio = np.subtract(p, q, where=p > -np.inf, out=np.zeros_like(p))  # 0 log 0 counts 0
    divergence: np.ndarray = np.sum(np.exp(p) * ratio, axis=-1)
    return np.maximum(divergence, 0.0)  # rounding can leave -1e-17 where p equals q


def per_token(means: np.ndarray, tokens: np.ndarray) -> float:
    """Combine the mean divergences of texts (n,) with their token counts (n,) to a mean per token.

    Texts without tokens do not count, whatever their mean; NaN if no text has any.
    """
    counted = tokens > 0
    if not counted.any():
        return float("nan")
    return float(np.average(means[counted].astype(np.float64), weights=tokens[counted]))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    normalised: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised
