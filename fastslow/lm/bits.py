"""Floats that travel through loops as their bits.

XLA on CPUs slices bfloat16 arrays by first converting the whole array to float32, and hoists that
out of loops: a scan over stacked weights, or over what a backward pass kept, would begin with a
float32 copy of the stack. Integers of the same width are sliced as they are.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from fastslow import types


def hide(tree: types.PyTree) -> types.PyTree:
    """Return the bits of every float array, as unsigned integers of the same shape."""
    return jax.tree.map(_hide, tree)


def show(hidden: types.PyTree, tree: types.PyTree) -> types.PyTree:
    """Return the arrays with bits `hidden`, differentiable with respect to `tree`.

    `tree` must hold the same values; only its gradient matters, its computation is dead code.
    """
    return jax.tree.map(_show, hidden, tree)


def _hide(x: jax.Array) -> jax.Array:
    unsigned = {2: jnp.uint16, 4: jnp.uint32, 8: jnp.uint64}[x.dtype.itemsize]
    return jax.lax.bitcast_convert_type(jax.lax.stop_gradient(x), unsigned)


@jax.custom_vjp
def _show(hidden: jax.Array, x: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(hidden, x.dtype)


def _forward(hidden: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
    return _show(hidden, x), None


def _backward(_: None, cotangent: jax.Array) -> tuple[Any, jax.Array]:
    return None, cotangent


_show.defvjp(_forward, _backward)
