"""Two-operand products in the dtype of the second operand, forward and backward, summed in float32.

XLA's own derivative of a bfloat16 product multiplies float32 by bfloat16, which CPUs do at half
speed or worse; here the cotangent is rounded to the same dtype as the operands. Float32 is float32:
GPUs would by default round operands to TF32, whose 10 bits move log-probabilities by up to 2e-3.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def einsum(subscripts: str, x: jax.Array, y: jax.Array) -> jax.Array:
    """Return float32 einsum of float32 `x` rounded to the dtype of `y`, and `y`.

    Every index must occur in two of the three terms of `subscripts`, so that both derivatives are
    einsums with the terms exchanged.
    """
    return _product(subscripts, x.astype(y.dtype), y)


def _product(subscripts: str, x: jax.Array, y: jax.Array) -> jax.Array:
    precision = jax.lax.Precision.HIGHEST if y.dtype == jnp.float32 else None
    return jnp.einsum(subscripts, x, y, precision=precision, preferred_element_type=jnp.float32)


def _forward(
    subscripts: str, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    rounded = x.astype(y.dtype)
    return einsum(subscripts, x, y), (rounded, y)


def _backward(
    subscripts: str, residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, y = residuals
    operands, out = subscripts.split("->")
    first, second = operands.split(",")
    rounded = cotangent.astype(y.dtype)
    dx = _product(f"{out},{second}->{first}", rounded, y)
    dy = _product(f"{first},{out}->{second}", x, rounded)
    return dx, dy.astype(y.dtype)


einsum.defvjp(_forward, _backward)
