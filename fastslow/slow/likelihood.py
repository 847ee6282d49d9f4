"""Log-probabilities and divergences from logits, f32, in nats."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from fastslow.lm import batch as lm_batch


def token_logprobs(logits: jax.Array, tokens: lm_batch.Array) -> jax.Array:
    """Return log softmax(logits)[token] (...,) of logits (..., V) without storing the softmax."""
    chosen = jnp.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    return chosen - jax.nn.logsumexp(logits, axis=-1)


def divergence(p_logits: jax.Array, q_logits: jax.Array) -> jax.Array:
    """Return KL(p || q) (...,), summed exactly over the vocabulary, of logits (..., V)."""
    p, q = jax.nn.log_softmax(p_logits), jax.nn.log_softmax(q_logits)
    return jnp.sum(jnp.exp(p) * (p - q), axis=-1)
