"""The peer that needs no engine: what one writes first, for `engine.py` to be measured against.

The shared prompt is repeated in every row, and the decoding loop scans over stacked layers with the
key-value cache as input and output of the scan, which copies all of it on every token.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from fastslow.lm import config


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiply in the kernel's dtype, sum in float32."""
    return jnp.einsum(
        "...i,io->...o", x.astype(kernel.dtype), kernel, preferred_element_type=jnp.float32
    )


def norm(x: jax.Array, scale: jax.Array, eps: float) -> jax.Array:
    """Root-mean-square normalisation."""
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + eps) * scale


def rotate(c: config.DecoderConfig, x: jax.Array, positions: jax.Array) -> jax.Array:
    """RoPE on (R, T, H, hd) at positions (T,)."""
    angles = positions[:, None, None] * config.inverse_frequencies(c.rope, c.head_dim)
    first, second = jnp.split(x, 2, axis=-1)
    cosine, sine = jnp.cos(angles), jnp.sin(angles)
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], -1)


def layer(c: config.DecoderConfig, x: Any, w: Any, lora: Any, cache: Any, start: Any) -> Any:
    """Write the tokens of `x` (R, T, D) into the cache at `start` and attend to all before them."""
    rows, tokens = x.shape[:2]

    def linear(name: str, x: jax.Array) -> jax.Array:
        out = product(x, w[name]["kernel"])
        return out + x @ lora[name]["a"] @ lora[name]["b"] if name in lora else out

    h = norm(x, w["attn_norm"]["scale"], c.norm_eps)
    q, k, v = (linear(name, h).reshape(rows, tokens, -1, c.head_dim) for name in "qkv")
    positions = start + jnp.arange(tokens)
    new = (rotate(c, k, positions), v)
    cache = tuple(
        jax.lax.dynamic_update_slice_in_dim(old, part, start, axis=1)
        for old, part in zip(cache, new, strict=True)
    )
    keys, values = (jnp.repeat(part, c.group, axis=2) for part in cache)
    scores = jnp.einsum("rthd,rshd->rhts", rotate(c, q, positions), keys) * c.head_dim**-0.5
    seen = jnp.arange(keys.shape[1]) <= positions[:, None]
    weights = jax.nn.softmax(jnp.where(seen, scores, -1e30), axis=-1)
    x = x + linear("o", jnp.einsum("rhts,rshd->rthd", weights, values).reshape(rows, tokens, -1))
    h = norm(x, w["ffn_norm"]["scale"], c.norm_eps)
    return x + linear("down", jax.nn.silu(linear("gate", h)) * linear("up", h)), cache


def forward(c: config.DecoderConfig, variables: Any, tokens: Any, cache: Any, start: Any) -> Any:
    """Return hidden states (R, T, D) and the cache after `tokens` (R, T)."""
    x = variables["params"]["embed"]["embedding"][tokens].astype(jnp.float32)
    lora = variables.get("lora", {"blocks": {}})["blocks"]

    @jax.checkpoint
    def body(x: jax.Array, xs: Any) -> Any:
        weights, lora, cache = xs
        return layer(c, x, weights, lora, cache, start)

    x, cache = jax.lax.scan(body, x, (variables["params"]["blocks"], lora, cache))
    return norm(x, variables["params"]["final_norm"]["scale"], c.norm_eps), cache


def head(c: config.DecoderConfig, variables: Any, x: jax.Array) -> jax.Array:
    """Return logits."""
    params = variables["params"]
    return product(x, params["embed"]["embedding"].T if c.tied else params["head"]["kernel"])


def empty_cache(c: config.DecoderConfig, rows: int, size: int) -> Any:
    """Return zero keys and values (L, R, S, K, hd)."""
    shape = (c.layers, rows, size, c.kv_heads, c.head_dim)
    return jnp.zeros(shape), jnp.zeros(shape)


def generate(c: config.DecoderConfig, new: int, variables: Any, tokens: Any, key: Any) -> Any:
    """Sample `new` tokens after rows of equal length (R, T)."""
    rows, width = tokens.shape
    x, cache = forward(c, variables, tokens, empty_cache(c, rows, width + new), 0)

    def step(carry: Any, i: jax.Array) -> Any:
        logits, cache, key = carry
        key, now = jax.random.split(key)
        token = jax.random.categorical(now, logits)
        x, cache = forward(c, variables, token[:, None], cache, width + i)
        return (head(c, variables, x[:, -1]), cache, key), token

    first = (head(c, variables, x[:, -1]), cache, key)
    return jax.lax.scan(step, first, jnp.arange(new))[1].T


def completion_logits(c: config.DecoderConfig, size: int, variables: Any, tokens: Any) -> Any:
    """Return the logits that predict the last `size` tokens of rows (R, T)."""
    rows, width = tokens.shape
    x, _ = forward(c, variables, tokens, empty_cache(c, rows, width), 0)
    return head(c, variables, x[:, -size - 1 : -1])
