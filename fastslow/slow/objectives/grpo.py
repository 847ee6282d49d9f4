"""Group relative policy optimisation, ratios clipped on both sides (arXiv 2402.03300, eq. 3)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from fastslow.slow import contracts, experience


def grpo(clip_low: float = 0.2, clip_high: float = 0.2) -> contracts.Objective:
    """Raise the probability of better-than-average answers, ratios clipped to [1-low, 1+high].

    L = -mean_t min(rho_t A, clip(rho_t, 1 - clip_low, 1 + clip_high) A), rho_t = pi_theta / pi_old
    per token. The mean is over all tokens of the step (not first within each answer, so that long
    answers are not favoured); KL to the base is an anchor, not part of this loss. Raises ValueError
    for a negative bound or clip_low > 1.
    """
    if not 0 <= clip_low <= 1 or clip_high < 0:
        raise ValueError(f"need 0 <= clip_low <= 1 and clip_high >= 0, got {clip_low}, {clip_high}")

    def loss(
        logprobs: jax.Array, batch: contracts.MicroBatch
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        log_ratio = logprobs - batch.behaviour_logprobs
        ratio = jnp.exp(log_ratio)
        clipped = jnp.clip(ratio, 1 - clip_low, 1 + clip_high) * batch.advantages
        free = ratio * batch.advantages
        statistics = {"clipped_share": clipped < free, "off_policy": jnp.abs(log_ratio)}
        return -jnp.minimum(free, clipped), statistics

    return contracts.Objective(experience.rollouts, loss, fewest_rollouts=2)
