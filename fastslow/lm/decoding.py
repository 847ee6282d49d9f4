"""The decoding loop: one program that samples a bucket of rows until each has stopped.

The layers are unrolled and their weights unstacked before: scanned layers would copy every weight
and every cache on every token. Three caches per layer: the shared prefix's and the questions' are
only read; the completions' is a small float32 buffer written in place.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from fastslow.lm import attention, batch, bits, block, config, decoder, sampling

Layers: TypeAlias = tuple[Any, ...]  # the variables of each block


class Questions(NamedTuple):
    """Where questions stand in packed rows."""

    ends: batch.Array  # (Q,) int32: index of the last token among all that are read
    lengths: batch.Array  # (Q,) int32; 0 marks a row added to fill the bucket


class Prefilled(NamedTuple):
    """Questions that have been read behind their prefix, ready for decoding."""

    prefix: attention.PrefixCache
    question: tuple[attention.KVCache, ...]  # per layer: T tokens, in Q rows
    question_length: jax.Array  # (Q,) int32; 0 marks a row added to fill the bucket
    logits: jax.Array  # (Q, V) float32: of the first token


class SamplingOptions(NamedTuple):
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
    caches: tuple[tuple[attention.KVCache, attention.KVCache], ...]  # per layer, only read
    starts: jax.Array  # (R, 1) int32: how many tokens stand before each completion


class _State(NamedTuple):
    step: jax.Array  # () int32: tokens sampled so far
    sampled: Sampled
    completions: tuple[attention.KVCache, ...]  # per layer
    # Of the last token. Made where it is used, each layer would make it, for every element.
    rotation: block.Rotation


def prefill_questions(
    shape: config.DecoderConfig,
    width: int,
    variables: Any,
    prefix: attention.PrefixCache,
    rows: batch.Rows,
    questions: Questions,
) -> Prefilled:
    """Read packed questions, and give each a cache of `width` tokens, flush right."""
    x, cache = decoder.encode_in_blocks(shape, variables, prefix, rows)
    ends, lengths = map(jnp.asarray, questions)
    slots = ends[:, None] + jnp.arange(1 - width, 1)
    found = jnp.maximum(slots, 0)  # what stands before the question is not looked at

    def gather(leaf: jax.Array) -> jax.Array:
        flat = leaf.reshape(leaf.shape[0], -1, leaf.shape[-1])
        return bits.from_bits(bits.as_bits(flat)[:, found], flat[:, found])

    def of_questions(packed: attention.KVCache) -> attention.KVCache:
        keys = gather(packed.keys.swapaxes(-1, -2)).swapaxes(-1, -2)
        return attention.KVCache(keys, gather(packed.values))

    return Prefilled(
        prefix,
        tuple(map(of_questions, _unstack(cache, shape.layers))),
        lengths,
        decoder.logits(shape, variables, decoder.at(x, ends)),
    )


def unstack_layers(shape: config.DecoderConfig, variables: Any) -> Layers:
    """Return the variables of the blocks layer by layer: a copy that decoding reads again."""
    return _unstack(decoder.stacked_blocks(variables), shape.layers)


def decode(
    shape: config.DecoderConfig,
    capacity: int,
    variables: Any,
    layers: Layers,
    prefilled: Prefilled,
    options: SamplingOptions,
) -> Sampled:
    """Sample every row until its stop token or `options.limit`; stops when all rows have.

    `layers` are the variables as `unstack_layers` returns them.
    """
    rows = options.seeds.shape[0]
    real = _by_row(prefilled.question_length > 0, rows)
    fixed = _Fixed(
        layers,
        tuple(zip(_unstack(prefilled.prefix.cache, shape.layers), prefilled.question, strict=True)),
        _by_row(prefilled.prefix.length + prefilled.question_length[:, None], rows),
    )

    def unfinished(state: _State) -> jax.Array:
        return (state.step < options.limit) & jnp.any(real & ~state.sampled.finished)

    def advance(state: _State) -> _State:
        logits, completions = _step(shape, variables, fixed, prefilled, state)
        return _State(
            state.step + 1,
            _append(state.sampled, logits, state.step, options),
            completions,
            decoder.rotation(shape, fixed.starts + state.step),
        )

    first = _append(_empty(rows, capacity), _by_row(prefilled.logits, rows), jnp.int32(0), options)
    values = jnp.zeros((shape.kv_heads, rows, capacity, shape.head_dim))
    completions = (attention.KVCache(values.swapaxes(-1, -2), values),) * shape.layers
    rotation = decoder.rotation(shape, fixed.starts)
    state = _State(jnp.int32(1), first, completions, rotation)
    return jax.lax.while_loop(unfinished, advance, state).sampled


def _unstack(stacked: Any, count: int) -> tuple[Any, ...]:
    """Return arrays with a leading axis of layers as one tree per layer (as bits: see `bits`)."""
    encoded = bits.as_bits(stacked)
    at = lambda tree, i: jax.tree.map(lambda leaf: leaf[i], tree)
    return tuple(bits.from_bits(at(encoded, i), at(stacked, i)) for i in range(count))


def _step(
    shape: config.DecoderConfig,
    variables: Any,
    fixed: _Fixed,
    prefilled: Prefilled,
    state: _State,
) -> tuple[jax.Array, tuple[attention.KVCache, ...]]:
    """Read the last sampled tokens: return logits (R, V) of the next and the written caches."""
    slot = state.step - 1
    lengths = prefilled.question_length[:, None]
    width = prefilled.question[0].size
    tokens = jax.lax.dynamic_slice_in_dim(state.sampled.tokens, slot, 1, axis=1)
    visible = jnp.arange(width) >= width - lengths
    places = block.StepPlaces(state.rotation, prefilled.prefix.length, visible, slot)
    module = block.Block(shape)
    # Jitted, so that it is traced once and not for every layer.
    layer = jax.jit(functools.partial(decoder.apply, module, method=block.Block.step))
    x = decoder.embedded(shape, variables, tokens)
    completions = []
    for weights, fixed_caches, cache in zip(
        fixed.layers, fixed.caches, state.completions, strict=True
    ):
        x, written = layer(weights, x, block.Caches(*fixed_caches, cache), places)
        completions.append(written)
    return decoder.logits(shape, variables, x)[:, 0], tuple(completions)


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


def _append(
    sampled: Sampled, logits: jax.Array, slot: jax.Array, options: SamplingOptions
) -> Sampled:
    """Sample the token of `slot` for every row; finished rows stay as they are."""
    tokens, logprobs = sampling.choose(
        logits, jnp.asarray(options.seeds), slot, jnp.asarray(options.temperature)
    )
    update = jax.lax.dynamic_update_slice_in_dim
    return Sampled(
        update(sampled.tokens, tokens[:, None], slot, axis=1),
        update(sampled.logprobs, logprobs[:, None], slot, axis=1),
        sampled.lengths + ~sampled.finished,
        sampled.finished | jnp.isin(tokens, options.stop_tokens),
    )
