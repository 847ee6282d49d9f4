"""CISPO: policy gradient with clipped importance weights (arXiv 2506.13585, as in 2605.12484)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from fastslow.slow import contracts, experience


def cispo(tau: float = 4.0) -> contracts.Objective:
    """Raise the probability of better-than-average answers, tokens weighted by a clipped ratio.

    L = -mean_t sg(min(rho_t, tau)) A log pi_theta(y_t | x, phi, y_<t), rho_t = pi_theta / pi_old
    per token, sg = stop gradient. Unlike GRPO's clipping, no token loses its gradient. The mean is
    over all tokens of the step, silent groups' too. Raises ValueError unless tau > 0.
    """
    if tau <= 0:
        raise ValueError(f"tau must be positive, got {tau}")

    def loss(
        logprobs: jax.Array, batch: contracts.MicroBatch
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        log_ratio = jax.lax.stop_gradient(logprobs - batch.behaviour_logprobs)
        ratio = jnp.exp(log_ratio)
        weight = jnp.minimum(ratio, tau)
        losses = -weight * batch.advantages * logprobs
        return losses, {"clipped_share": ratio > tau, "off_policy": jnp.abs(log_ratio)}

    return contracts.Objective(experience.rollouts, loss, fewest_rollouts=2)
