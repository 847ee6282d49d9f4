"""Choosing the next token: greedy, or by Gumbel noise that every row draws from its own seed."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def choose(
    logits: jax.Array, seeds: jax.Array, step: jax.Array, temperature: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return tokens (R,) int32 and their untempered log-probabilities (R,) from logits (R, V).

    The noise of a row is a function of its seed (uint32) and `step` alone; argmax of logits /
    temperature + Gumbel noise is a sample of the tempered softmax. Temperature 0 is greedy.
    """
    tokens = jax.lax.cond(
        temperature > 0,
        lambda: jnp.argmax(logits + temperature * _noise(seeds, step, logits.shape[1]), axis=-1),
        lambda: jnp.argmax(logits, axis=-1),
    )
    chosen = jnp.take_along_axis(logits, tokens[:, None], axis=-1)[:, 0]
    return tokens, chosen - jax.nn.logsumexp(logits, axis=-1)


def _noise(seeds: jax.Array, step: jax.Array, size: int) -> jax.Array:
    """Return Gumbel noise (R, size)."""
    keys = jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), step))(seeds)
    return jax.vmap(lambda key: jax.random.gumbel(key, (size,)))(keys)
