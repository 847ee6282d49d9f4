"""KL divergence to the base model on the lesson's tokens: exact over the vocabulary, or sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from fastslow import types
from fastslow.slow import contracts, likelihood
from fastslow.slow.anchors import parts

Direction = Literal["policy||base", "base||policy"]


def kl_exact(coefficient: float = 1e-3, direction: Direction = "policy||base") -> contracts.Anchor:
    """Penalise the exact KL divergence to the base model, summed over the vocabulary.

    "policy||base": coefficient * mean_t sum_v pi_theta(v) (log pi_theta(v) - log pi_0(v)), in nats
    per token; "base||policy" exchanges the two. The gradient is that of the sum at the given
    tokens; the dependence of the tokens themselves on theta is not differentiated.
    """
    if direction not in ("policy||base", "base||policy"):
        raise ValueError(f"direction must be 'policy||base' or 'base||policy', got {direction!r}")
    forwards = direction == "policy||base"

    def token_penalty(state: types.PyTree, outputs: contracts.Outputs) -> jax.Array:
        del state
        pair = (outputs.logits, outputs.reference_logits)
        return coefficient * likelihood.divergence(*(pair if forwards else pair[::-1]))

    return _token_anchor(token_penalty)


def kl_k3(coefficient: float = 1e-3) -> contracts.Anchor:
    """Penalise the k3 estimate of KL(policy || base) on the sampled tokens.

    coefficient * mean_t (exp(d_t) - d_t - 1), d_t = log pi_0(y_t) - log pi_theta(y_t): never
    negative, and unbiased when y_t ~ pi_theta (Schulman, "Approximating KL divergence", 2020). It
    is differentiated as it stands, as in GRPO (arXiv 2402.03300, eq. 4).
    """

    def token_penalty(state: types.PyTree, outputs: contracts.Outputs) -> jax.Array:
        del state
        policy = likelihood.token_logprobs(outputs.logits, outputs.tokens)
        difference = likelihood.token_logprobs(outputs.reference_logits, outputs.tokens) - policy
        return coefficient * (jnp.expm1(difference) - difference)

    return _token_anchor(token_penalty)


def _token_anchor(
    token_penalty: Callable[[types.PyTree, contracts.Outputs], jax.Array],
) -> contracts.Anchor:
    return contracts.Anchor(parts.no_state, parts.no_penalty, token_penalty, parts.keep)
