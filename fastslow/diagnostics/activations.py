"""What happens inside a decoder: hidden states and FFN units, layer by layer."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fastslow.lm import batch, block, config, decoder

_FFN_OUT = "down"  # its input are the FFN's units


class Layer(NamedTuple):
    """What one layer did with N tokens."""

    hidden: np.ndarray  # (N, D) float32, the residual stream behind it
    activity: np.ndarray  # (F,) float32, mean |activation| of its FFN units


def look(
    shape: config.DecoderConfig, variables: decoder.Variables, texts: Sequence[Sequence[int]]
) -> list[Layer]:
    """Run token sequences (not empty) through the decoder and return what its layers did.

    The layers run one after the other, so that memory does not grow with their number.
    """
    width = batch.BUCKETS.prefix.fit(batch.longest(texts))
    tokens = jnp.asarray(batch.pad_left(texts, len(texts), width))
    rows = batch.plain_rows(tokens, jnp.asarray(batch.lengths(texts, len(texts))))
    real = np.asarray(rows.sequences) != batch.PADDING
    around = decoder.places(shape, rows, 0)
    x = decoder.embedded(shape, variables, tokens)
    stacked = decoder.stacked_blocks(variables)
    layers = []
    for number in range(shape.layers):
        x, units = _layer(shape, _slice(stacked, number), x, around)
        layers.append(Layer(np.asarray(x)[real], np.abs(np.asarray(units))[real].mean(axis=0)))
    return layers


def _slice(stacked: Any, number: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[number], stacked)


@functools.partial(jax.jit, static_argnums=0)
def _layer(
    shape: config.DecoderConfig, weights: Any, x: jax.Array, around: block.Places
) -> tuple[jax.Array, jax.Array]:
    """Return the residual stream (R, T, D) behind a block, and its FFN's units (R, T, F)."""
    seen: list[jax.Array] = []

    def watch(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        if context.module.name == _FFN_OUT and context.method_name == "__call__":
            seen.append(args[0])
        return call(*args, **kwargs)

    with nn.intercept_methods(watch):
        x, _ = decoder.apply(block.Block(shape), weights, x, None, around)
    (units,) = seen
    return x, units
