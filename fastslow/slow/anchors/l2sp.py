"""L2-SP: squared distance to a starting point (arXiv 1802.01483)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from fastslow import types
from fastslow.slow import contracts
from fastslow.slow.anchors import parts


def l2sp(coefficient: float = 1e-2, follow: bool = True) -> contracts.Anchor:
    """Penalise distance from a starting point: coefficient / 2 ||theta - theta_anchor||^2.

    theta is the trainable: with `full` the distance is that of the parameters, with `lora` that of
    the factors a and b. The anchor is where the current lesson started (`follow`), or where the run
    started (`follow=False`, the paper's choice).
    """

    def penalty(trainable: types.PyTree, state: types.PyTree) -> contracts.Scalar:
        squares = jax.tree.map(lambda x, y: jnp.sum(jnp.square(x - y)), trainable, state)
        return 0.5 * coefficient * jax.tree.reduce(jnp.add, squares)

    return contracts.Anchor(
        init=lambda trainable: trainable,
        penalty=penalty,
        token_penalty=parts.no_token_penalty,
        consolidate=_move if follow else parts.keep,
    )


def _move(
    trainable: types.PyTree, state: types.PyTree, evidence: contracts.Evidence
) -> types.PyTree:
    del state, evidence
    return trainable
