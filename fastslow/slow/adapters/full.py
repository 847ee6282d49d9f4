"""Train every parameter, as a full-precision difference from the base."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from fastslow import types
from fastslow.slow import contracts


def full() -> contracts.Adapter:
    """Train a delta of every parameter: theta = base + delta.

    The delta is f32 whatever the base's type; the sum is rounded to the base's type, so that with a
    bfloat16 base a parameter moves once its delta exceeds about 1/512 of its size.
    """
    return contracts.Adapter(init=_init, bind=_bind, merge=_merge)


def _init(seed: int, params: types.PyTree) -> types.PyTree:
    del seed  # nothing is random here
    return jax.tree.map(lambda p: jnp.zeros(p.shape, jnp.float32), params)


def _merge(params: types.PyTree, trainable: types.PyTree) -> types.PyTree:
    return jax.tree.map(lambda p, d: (p + d).astype(p.dtype), params, trainable)


def _bind(params: types.PyTree, trainable: types.PyTree) -> contracts.Variables:
    return {"params": _merge(params, trainable)}
