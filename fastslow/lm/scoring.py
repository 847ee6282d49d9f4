"""Exact log-probabilities and divergences of given tokens, few positions' logits at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fastslow.lm import attention, batch, config, decoder

_POSITIONS_AT_ONCE = 256  # positions whose logits exist at the same time


class Prefix(NamedTuple):
    """A prefix that has been read."""

    memory: attention.Memory  # (L, K, P, hd)
    length: batch.Array  # () int32


def read_prefix(
    shape: config.DecoderConfig, size: int, variables: Any, tokens: jax.Array, length: jax.Array
) -> Prefix:
    """Read prefix tokens (P,) once; the memory is padded to `size` entries, which nothing sees."""
    memory = decoder.encode_prefix(shape, variables, tokens)
    behind = ((0, 0), (0, 0), (0, size - tokens.shape[0]), (0, 0))
    return Prefix(jax.tree.map(lambda leaf: jnp.pad(leaf, behind), memory), length)


class Targets(NamedTuple):
    """Which tokens to look up in a row: the logits at `slots` predict `tokens`.

    Slot 0 is the last question token, slot 1 the first token after the question, and so on.
    """

    slots: batch.Array  # (R, M) int32
    tokens: batch.Array  # (R, M) int32


def logprobs(
    shape: config.DecoderConfig,
    slots: int,
    variables: Any,
    prefix: Prefix,
    rows: batch.Rows,
    targets: Targets,
) -> jax.Array:
    """Return log-probabilities of all targets, float32 (R, M); the last `slots` tokens predict."""
    x, _ = decoder.encode(shape, variables, prefix.memory, jnp.asarray(prefix.length), rows)

    def look_up(row: tuple[jax.Array, Targets]) -> jax.Array:
        x, wanted = row
        logits = decoder.logits(shape, variables, x[None])[0]
        return (logits - jax.nn.logsumexp(logits, axis=-1, keepdims=True))[
            wanted.slots, wanted.tokens
        ]

    return _map_rows(look_up, (x[:, -slots:], targets), slots)


def divergences(
    shape: config.DecoderConfig,
    slots: int,
    variables: tuple[Any, Any],
    prefixes: tuple[Prefix, Prefix],
    rows: batch.Rows,
    lengths: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return KL(p || q) and KL(q || p), each (R,), mean over the first `lengths` (R,) slots.

    p and q are the next-token distributions under the two variables; exact sums over the
    vocabulary, in nats.
    """
    both = [
        decoder.encode(shape, v, prefix.memory, jnp.asarray(prefix.length), rows)[0][:, -slots:]
        for v, prefix in zip(variables, prefixes, strict=True)
    ]

    def diverge(row: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        log_p, log_q = (
            jax.nn.log_softmax(decoder.logits(shape, v, x[None])[0])
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

    return _map_rows(diverge, (both[0], both[1], lengths), slots)


def _map_rows(function: Any, rows: Any, slots: int) -> Any:
    """Apply `function` to every row, as many rows at once as memory for their logits allows."""
    return jax.lax.map(function, rows, batch_size=max(1, _POSITIONS_AT_ONCE // slots))
