"""Members for anchors that leave one half of the contract empty."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from fastslow import types
from fastslow.slow import contracts


def no_state(trainable: types.PyTree) -> types.PyTree:
    """Return the empty state, for anchors that remember nothing."""
    del trainable
    return ()


def no_penalty(trainable: types.PyTree, state: types.PyTree) -> contracts.Scalar:
    """Return 0, for anchors on outputs only."""
    del trainable, state
    return jnp.zeros(())


def no_token_penalty(state: types.PyTree, outputs: contracts.Outputs) -> jax.Array:
    """Return 0 everywhere (N,), for anchors on parameters only."""
    del state
    return jnp.zeros(outputs.tokens.shape)


def reads_outputs(anchor: contracts.Anchor) -> bool:
    """Say whether an anchor penalises outputs, so that it needs every answer of a step run."""
    return anchor.token_penalty is not no_token_penalty


def keep(
    trainable: types.PyTree, state: types.PyTree, evidence: contracts.Evidence
) -> types.PyTree:
    """Return the state unchanged, for anchors that do not move."""
    del trainable, evidence
    return state
