"""The decoding loop: one program that samples a bucket of rows until each has stopped.

The layers are unrolled and their weights cut out of the stack before: scanned layers would copy
every weight and every memory on every token. Three memories per layer: the shared prefix
and the rows' questions are only read; the completion's is a small float32 buffer written in place.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from fastslow.lm import attention, batch, bits, block, config, decoder, sampling

Layers: TypeAlias = tuple[Any, ...]  # the variables of each block


class Prompted(NamedTuple):
    """Questions that have been read behind their prefix."""

    prefix: attention.Memory  # shared, P tokens
    prefix_length: jax.Array  # () int32
    question: attention.Memory  # T tokens, in Q rows
    question_length: jax.Array  # (Q,) int32; 0 marks a row added to fill the bucket
    logits: jax.Array  # (Q, V) float32: of the first token


class Sampling(NamedTuple):
    """What to sample, R / Q successive rows for each question; other values compile nothing."""

    seeds: batch.Array  # (R,) uint32
    temperature: batch.Array  # () float32
    limit: batch.Array  # () int32: tokens per row, at most the capacity
    stop_tokens: batch.Array  # (S,) int32


class Sampled(NamedTuple):
    """Completions; entries from `lengths` on are meaningless."""

    tokens: jax.Array  # (R, N) int32
    logprobs: jax.Array  # (R, N) float32
    lengths: jax.Array  # (R,) int32
    finished: jax.Array  # (R,) bool: whether a stop token came


class _Fixed(NamedTuple):
    """What is the same in every step, made before the loop so that no step makes it again."""

    layers: Layers
    memories: tuple[tuple[attention.Memory, attention.Memory], ...]  # per layer, only read
    rotations: block.Rotation  # of the tokens that may come, T = N


class _State(NamedTuple):
    step: jax.Array  # () int32: tokens sampled so far
    sampled: Sampled
    recent: tuple[attention.Memory, ...]  # per layer


def read(
    shape: config.DecoderConfig,
    width: int,
    variables: Any,
    prefix: attention.Memory,
    prefix_length: jax.Array,
    rows: batch.Rows,
    ends: jax.Array,
    lengths: jax.Array,
) -> Prompted:
    """Read packed questions, and give each a row of `width` tokens, flush right.

    `ends` (Q,): index of the question's last token among all that are read; `lengths` (Q,): how
    many tokens it has, 0 for a row that only fills the bucket.
    """
    x, memory = decoder.encode(shape, variables, prefix, prefix_length, rows)
    slots = ends[:, None] + jnp.arange(1 - width, 1)
    found = jnp.maximum(slots, 0)  # what stands before the question is not looked at

    def gather(leaf: jax.Array) -> jax.Array:
        flat = leaf.reshape(*leaf.shape[:2], -1, leaf.shape[-1])
        return bits.show(bits.hide(flat)[:, :, found], flat[:, :, found])

    keys = gather(memory.keys.swapaxes(-1, -2)).swapaxes(-1, -2)
    return Prompted(
        prefix,
        prefix_length,
        attention.Memory(keys, gather(memory.values)),
        lengths,
        decoder.logits(shape, variables, decoder.at(x, ends)),
    )


def cut(shape: config.DecoderConfig, variables: Any) -> Layers:
    """Return the variables of the blocks layer by layer: a copy that decoding reads again."""
    return _cut(decoder.stacked_blocks(variables), shape.layers)


def decode(
    shape: config.DecoderConfig,
    capacity: int,
    variables: Any,
    layers: Layers,
    prompted: Prompted,
    how: Sampling,
) -> Sampled:
    """Sample every row until its stop token or `how.limit`; stops when all rows have.

    `layers` are the variables as `cut` returns them.
    """
    rows = how.seeds.shape[0]
    real = _by_row(prompted.question_length > 0, rows)
    fixed = _Fixed(
        layers,
        _cut((prompted.prefix, prompted.question), shape.layers),
        decoder.rotation(shape, _positions(prompted, rows, capacity)),
    )

    def unfinished(state: _State) -> jax.Array:
        return (state.step < how.limit) & jnp.any(real & ~state.sampled.finished)

    def advance(state: _State) -> _State:
        logits, recent = _step(shape, variables, fixed, prompted, state)
        return _State(state.step + 1, _append(state.sampled, logits, state.step, how), recent)

    first = _append(_empty(rows, capacity), _by_row(prompted.logits, rows), jnp.int32(0), how)
    values = jnp.zeros((shape.kv_heads, rows, capacity, shape.head_dim))
    recent = (attention.Memory(values.swapaxes(-1, -2), values),) * shape.layers
    last = jax.lax.while_loop(unfinished, advance, _State(jnp.int32(1), first, recent))
    return last.sampled


def _cut(stacked: Any, count: int) -> tuple[Any, ...]:
    """Cut arrays with a leading axis of layers into one tree per layer (as bits: see `bits`)."""
    hidden = bits.hide(stacked)
    at = lambda tree, i: jax.tree.map(lambda leaf: leaf[i], tree)
    return tuple(bits.show(at(hidden, i), at(stacked, i)) for i in range(count))


def _step(
    shape: config.DecoderConfig,
    variables: Any,
    fixed: _Fixed,
    prompted: Prompted,
    state: _State,
) -> tuple[jax.Array, tuple[attention.Memory, ...]]:
    """Read the last sampled tokens: return logits (R, V) of the next and the written memories."""
    slot = state.step - 1
    lengths = prompted.question_length[:, None]
    width = prompted.question.size
    at = lambda table: jax.lax.dynamic_slice_in_dim(table, slot, 1, axis=1)
    tokens, rotation = jax.tree.map(at, (state.sampled.tokens, fixed.rotations))
    now = block.Now(rotation, prompted.prefix_length, jnp.arange(width) >= width - lengths, slot)
    module = block.Block(shape)
    # Jitted, so that it is traced once and not for every layer.
    layer = jax.jit(functools.partial(decoder.apply, module, method=block.Block.step))
    x = decoder.embedded(shape, variables, tokens)
    recent = []
    for weights, read_only, memory in zip(fixed.layers, fixed.memories, state.recent, strict=True):
        x, written = layer(weights, x, block.Past(*read_only, memory), now)
        recent.append(written)
    return decoder.logits(shape, variables, x)[:, 0], tuple(recent)


def _positions(prompted: Prompted, rows: int, capacity: int) -> jax.Array:
    """Return where in its row each token of a completion stands, (R, N)."""
    lengths = prompted.prefix_length + prompted.question_length[:, None]
    return _by_row(lengths + jnp.arange(capacity), rows)


def _by_row(of_question: jax.Array, rows: int) -> jax.Array:
    """Return what questions (Q, ...) share with their rows (R, ...)."""
    return jnp.repeat(of_question, rows // len(of_question), axis=0)


def _empty(rows: int, capacity: int) -> Sampled:
    return Sampled(
        jnp.zeros((rows, capacity), jnp.int32),
        jnp.zeros((rows, capacity), jnp.float32),
        jnp.zeros(rows, jnp.int32),
        jnp.zeros(rows, bool),
    )


def _append(sampled: Sampled, logits: jax.Array, slot: jax.Array, how: Sampling) -> Sampled:
    """Sample the token of `slot` for every row; finished rows stay as they are."""
    tokens, logprobs = sampling.choose(
        logits, jnp.asarray(how.seeds), slot, jnp.asarray(how.temperature)
    )
    update = jax.lax.dynamic_update_slice_in_dim
    return Sampled(
        update(sampled.tokens, tokens[:, None], slot, axis=1),
        update(sampled.logprobs, logprobs[:, None], slot, axis=1),
        sampled.lengths + ~sampled.finished,
        sampled.finished | jnp.isin(tokens, how.stop_tokens),
    )
