"""A small random decoder and a chat that needs no tokenizer, for the tests of the engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from fastslow import types
from fastslow.lm import config, decoder, model

CONFIG = config.DecoderConfig(
    vocab_size=61,
    width=24,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=8,
    ffn_width=40,
    rope=config.Rope(100.0),
    norm_eps=1e-5,
    qkv_bias=False,
    qk_norm=False,
    tied=True,
    max_context=128,
)


@dataclasses.dataclass(frozen=True)
class Chat:
    """Writes tokens as numbers; the prefix is the system message, one token a character."""

    stop_tokens: frozenset[int] = frozenset()

    def encode(self, messages: Sequence[types.Message]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        prefix, question = (tuple(ord(c) % 61 for c in m.content) for m in messages)
        return prefix, question

    def encode_answer(self, text: str) -> tuple[int, ...]:
        return tuple(ord(c) % 61 for c in text)

    def decode(self, tokens: Sequence[int]) -> str:
        ended = tokens and tokens[-1] in self.stop_tokens
        return " ".join(map(str, tokens[:-1] if ended else tokens))


def params(shape: config.DecoderConfig = CONFIG, seed: int = 0) -> types.PyTree:
    """Random float32 parameters of the decoder's own shapes, with clearly peaked logits."""
    noise = np.random.default_rng(seed)
    shapes = jax.eval_shape(lambda: decoder.init(shape, seed, jnp.float32))
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.asarray(
            (path[-1].key == "scale") + 0.3 * noise.normal(size=leaf.shape), jnp.float32
        ),
        shapes,
    )


def lora(shape: config.DecoderConfig = CONFIG, seed: int = 1) -> types.PyTree:
    """Random low-rank deltas of rank 3 on four of the layers."""
    noise = np.random.default_rng(seed)
    sizes = {
        "q": (shape.width, shape.heads * shape.head_dim),
        "v": (shape.width, shape.kv_heads * shape.head_dim),
        "up": (shape.width, shape.ffn_width),
        "down": (shape.ffn_width, shape.width),
    }

    def normal(*size: int) -> jax.Array:
        return jnp.asarray(0.2 * noise.normal(size=(shape.layers, *size)), jnp.float32)

    return {"blocks": {n: {"a": normal(i, 3), "b": normal(3, o)} for n, (i, o) in sizes.items()}}


def language_model(stop_tokens: Sequence[int] = (), seed: int = 0) -> model.LanguageModel:
    return model.LanguageModel(
        "small", CONFIG, params(seed=seed), Chat(frozenset(stop_tokens)), "d"
    )


def tokens(rng: np.random.Generator, length: int) -> tuple[int, ...]:
    return tuple(rng.integers(0, CONFIG.vocab_size, length).tolist())
