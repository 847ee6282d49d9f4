"""Supervised fine-tuning on the examples' targets."""

from __future__ import annotations

import jax

from fastslow.slow import contracts, experience


def sft() -> contracts.Objective:
    """Imitate the target answers: L = -mean_t log pi(y*_t | x, phi, y*_<t).

    The mean is over all target tokens of the step; question and prompt tokens are not predicted.
    """
    return contracts.Objective(collect=experience.targets, loss=_loss)


def _loss(
    logprobs: jax.Array, batch: contracts.MicroBatch
) -> tuple[jax.Array, dict[str, jax.Array]]:
    del batch
    return -logprobs, {}
