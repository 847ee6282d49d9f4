"""Choosing the next token: greedy, or by Gumbel noise that every row draws from its own seed.

argmax(z + Gumbel noise) is a sample of softmax(z). Drawing first a block of the vocabulary, by the
blocks' total weights, and then a token of that block is the same distribution with 2 sqrt(V) random
numbers per token instead of V: for 64 rows of 49,152 logits, noise would cost half a decoding step.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp


def choose(
    logits: jax.Array, seeds: jax.Array, step: jax.Array, temperature: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return tokens (R,) int32 and their untempered log-probabilities (R,) from logits (R, V).

    The noise of a row is a function of its seed (uint32) and `step` alone. Temperature 0 is greedy.
    """
    columns = logits.T  # as a product with the embedding table has them; the two transposes cancel
    vocabulary, rows = columns.shape
    size = math.isqrt(vocabulary - 1) + 1
    padding = -vocabulary % size
    padded = jnp.pad(columns, ((0, padding), (0, 0)), constant_values=-jnp.inf)
    blocks = padded.reshape(-1, size, rows)
    totals = jax.nn.logsumexp(blocks, axis=1)
    tokens = jax.lax.cond(
        temperature > 0,
        lambda: _sample(blocks, totals, temperature, seeds, step),
        lambda: _argmax(blocks, blocks.max(1), jnp.float32(0)),
    )
    chosen = jnp.take_along_axis(columns, tokens[None], axis=0)[0]
    return tokens, chosen - jax.nn.logsumexp(totals, axis=0)


def _sample(
    blocks: jax.Array, totals: jax.Array, temperature: jax.Array, seeds: jax.Array, step: jax.Array
) -> jax.Array:
    """Sample indices (R,) of softmax(blocks / temperature) over the first two axes of (B, S, R).

    `totals` (B, R) are the blocks' log-sum-exp at temperature 1, at which most is sampled.
    """
    count, size, _ = blocks.shape
    keys = jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), step))(seeds)
    noise = jax.vmap(lambda key: jax.random.gumbel(key, (count + size,)), out_axes=1)(keys)
    weights = jax.lax.cond(
        temperature == 1, lambda: totals, lambda: jax.nn.logsumexp(blocks / temperature, axis=1)
    )
    return _argmax(blocks, weights + noise[:count], temperature * noise[count:])


def _argmax(blocks: jax.Array, weights: jax.Array, noise: jax.Array) -> jax.Array:
    """Return the index (R,) of the largest noisy entry in the block of largest weight (B, R)."""
    best = jnp.argmax(weights, axis=0)
    block = jnp.take_along_axis(blocks, best[None, None], axis=0)[0] + noise
    return (best * blocks.shape[1] + jnp.argmax(block, axis=0)).astype(jnp.int32)
