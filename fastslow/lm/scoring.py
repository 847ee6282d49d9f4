"""Exact log-probabilities and divergences of given tokens, few positions' logits at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fastslow.lm import attention, batch, config, decoder

_POSITIONS_AT_ONCE = 256  # positions whose logits exist at the same time


def prefill_prefix(
    shape: config.DecoderConfig, size: int, variables: Any, tokens: jax.Array, length: jax.Array
) -> attention.PrefixCache:
    """Read prefix tokens (P,) once; the cache is padded to `size` entries, which nothing sees."""
    prefix = decoder.prefill_prefix(shape, variables, tokens, length)
    return prefix._replace(cache=attention.pad(prefix.cache, size))


class Targets(NamedTuple):
    """Which tokens to look up, request by request: the logits at `slots` predict `tokens`.

    A slot counts the predicting tokens of the request from 0.
    """

    slots: batch.Array  # (Q, M) int32
    tokens: batch.Array  # (Q, M) int32


def logprobs(
    shape: config.DecoderConfig,
    variables: Any,
    prefix: attention.PrefixCache,
    rows: batch.Rows,
    predictors: jax.Array,
    targets: Targets,
) -> jax.Array:
    """Return log-probabilities of all targets, float32 (Q, M).

    `predictors` (Q, S): the tokens of request q that predict something, as indices among all
    tokens of the rows.
    """
    x, _ = decoder.encode_in_blocks(shape, variables, prefix, rows)

    def look_up(row: tuple[jax.Array, Targets]) -> jax.Array:
        x, wanted = row
        logits = decoder.logits(shape, variables, x)
        return (logits - jax.nn.logsumexp(logits, axis=-1, keepdims=True))[
            wanted.slots, wanted.tokens
        ]

    return _map_rows(look_up, (decoder.at(x, predictors), targets), predictors.shape[1])


def states(
    shape: config.DecoderConfig,
    variables: Any,
    prefix: attention.PrefixCache,
    rows: batch.Rows,
    predictors: jax.Array,
) -> jax.Array:
    """Return the residual stream (Q, S, D) at `predictors`, which are as in `logprobs`."""
    x, _ = decoder.encode_in_blocks(shape, variables, prefix, rows)
    return decoder.at(x, predictors)


def divergences(
    shape: config.DecoderConfig,
    variables: tuple[Any, Any],
    streams: tuple[jax.Array, jax.Array],
    lengths: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return KL(p || q) and KL(q || p), each (Q,), mean over the first `lengths` (Q,) tokens.

    p and q are the next-token distributions that the two variables give after `streams` (Q, S, D)
    each, see `states`; exact sums over the vocabulary, in nats.
    """
    slots = streams[0].shape[1]

    def diverge(row: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        log_p, log_q = (
            jax.nn.log_softmax(decoder.logits(shape, v, x))
            for v, x in zip(variables, row[:2], strict=True)
        )
        counted = jnp.arange(slots) < row[2]
        difference = jnp.where(counted[:, None], log_p - log_q, 0.0)
        count = jnp.maximum(row[2], 1)
        forward, backward = (
            (jnp.exp(log_p) * difference).sum(),
            (jnp.exp(log_q) * -difference).sum(),
        )
        return forward / count, backward / count

    return _map_rows(diverge, (*streams, lengths), slots)


def _map_rows(function: Any, rows: Any, slots: int) -> Any:
    """Apply `function` to every row, as many rows at once as memory for their logits allows."""
    return jax.lax.map(function, rows, batch_size=max(1, _POSITIONS_AT_ONCE // slots))
