"""Narrow floats that travel through loops as their bits.

XLA on CPUs slices bfloat16 arrays by first converting the whole array to float32, and hoists that
out of loops: a scan over stacked weights, or over what a backward pass kept, would begin with a
float32 copy of the stack. Integers of the same width are sliced as they are. Wider floats travel as
they are.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from fastslow import types


def as_bits(tree: types.PyTree) -> types.PyTree:
    """Return the bits of every 16-bit array, as unsigned integers; others as given."""
    return jax.tree.map(lambda x: _as_bits(x) if _is_half(x) else x, tree)


def from_bits(encoded: types.PyTree, tree: types.PyTree) -> types.PyTree:
    """Return the arrays that `encoded` holds, differentiable with respect to those of `tree`.

    `tree` must hold the same values; what travels as bits has its gradient from there, and its
    computation is dead code.
    """
    return jax.tree.map(lambda bits, x: _from_bits(bits, x) if _is_half(x) else x, encoded, tree)


def entry(stacked: types.PyTree, index: jax.Array) -> types.PyTree:
    """Return the bits of the entries `index` (...) of every array, for use within loops.

    The barrier keeps XLA from taking the bits of whole arrays before the loop, which copies them.
    """
    arrays = jax.lax.stop_gradient(stacked)
    held, here = jax.lax.optimization_barrier((arrays, index))
    return jax.tree.map(lambda x: x[here], as_bits(held))


def _is_half(x: jax.Array) -> bool:
    return x.dtype.itemsize == 2


def _as_bits(x: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(jax.lax.stop_gradient(x), jnp.uint16)


@jax.custom_vjp
def _from_bits(encoded: jax.Array, x: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(encoded, x.dtype)


def _forward(encoded: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
    return _from_bits(encoded, x), None


def _backward(_: None, cotangent: jax.Array) -> tuple[Any, jax.Array]:
    return None, cotangent


_from_bits.defvjp(_forward, _backward)
