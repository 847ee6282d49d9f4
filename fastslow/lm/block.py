"""One layer of the decoder as a Flax module: attention over its caches, then the gated FFN."""

from __future__ import annotations

import functools
from typing import NamedTuple, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ad_checkpoint

from fastslow.lm import attention, bits, config, products

KEPT = "kept"
Rotation: TypeAlias = tuple[jax.Array, jax.Array]  # cosine and sine, each (R, T, 1, hd / 2)


class Places(NamedTuple):
    """Where the tokens of a forward pass stand: the same for every layer."""

    rotation: Rotation
    visible: jax.Array  # (R, T, T) bool: which of the pass's own tokens each one sees
    prefix_length: jax.Array  # () int32: how much of the prefix cache is real


class Caches(NamedTuple):
    """The keys and values of one layer while completions are decoded token by token."""

    prefix: attention.KVCache  # shared, P tokens
    question: attention.KVCache  # T tokens, in Q rows: R / Q rows share one each
    completion: attention.KVCache  # float32, N tokens, written in place


class StepPlaces(NamedTuple):
    """Where a decoding step stands: the same for every layer."""

    rotation: Rotation  # of the new token, T = 1
    prefix_length: jax.Array  # () int32
    question_visible: jax.Array  # (Q, T) bool
    slot: jax.Array  # () int32: the place of the new token in `Caches.completion`


class Linear(nn.Module):
    """Multiply by a kernel, add its bias and its low-rank delta if it has them."""

    features: int
    bias: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map float32 (R, T, in) to float32 (R, T, features)."""
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        out = products.einsum("rti,io->rto", x, kernel)
        if self.bias:
            out = out + self.param("bias", nn.initializers.zeros, (self.features,))
        if self.has_variable("lora", "a"):
            low = products.einsum("rti,id->rtd", x, self.get_variable("lora", "a"))
            out = out + products.einsum("rtd,do->rto", low, self.get_variable("lora", "b"))
        return out


class RMSNorm(nn.Module):
    """Divide by the root mean square over the last axis, then scale."""

    eps: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map float32 (..., D) to float32 (..., D)."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + self.eps) * scale


class Block(nn.Module):
    """One layer: attention over the prefix and the pass's own tokens, then the gated FFN."""

    config: config.DecoderConfig

    def setup(self) -> None:
        """Declare the layers under the names of the parameter tree."""
        c = self.config
        norm = functools.partial(RMSNorm, c.norm_eps)
        self.attn_norm, self.ffn_norm = norm(), norm()
        self.q = Linear(c.heads * c.head_dim, c.qkv_bias)
        self.k = Linear(c.kv_heads * c.head_dim, c.qkv_bias)
        self.v = Linear(c.kv_heads * c.head_dim, c.qkv_bias)
        if c.qk_norm:
            self.q_norm, self.k_norm = norm(), norm()
        self.o = Linear(c.width)
        self.gate, self.up = Linear(c.ffn_width), Linear(c.ffn_width)
        self.down = Linear(c.width)

    def __call__(
        self, x: jax.Array, prefix: attention.KVCache | None, places: Places
    ) -> tuple[jax.Array, attention.KVCache]:
        """Return the new residual stream (R, T, D) and the cache of its T tokens."""
        queries, cache = self.project(x, places.rotation)
        parts = [attention.attend_rows(queries, cache, places.visible)]
        if prefix is not None:
            parts.append(attention.attend_shared(queries, prefix, places.prefix_length))
        return self.finish(x, attention.merge(parts)), cache

    def step(
        self, x: jax.Array, caches: Caches, places: StepPlaces
    ) -> tuple[jax.Array, attention.KVCache]:
        """Decode a token per row: return the residual stream (R, 1, D) and the completion cache."""
        queries, new = self.project(x, places.rotation)
        completion = attention.write(caches.completion, new, places.slot)
        written = jnp.arange(completion.size) <= places.slot
        parts = [
            attention.attend_shared(queries, caches.prefix, places.prefix_length),
            attention.attend_grouped(queries, caches.question, places.question_visible),
            attention.attend_rows(queries, completion, written[None, None]),
        ]
        return self.finish(x, attention.merge(parts)), completion

    def project(self, x: jax.Array, rotation: Rotation) -> tuple[jax.Array, attention.KVCache]:
        """Return queries (K, R, T * group, hd) and the cache of T tokens in the kernels' dtype."""
        c = self.config
        hidden = self.attn_norm(x)
        q, k, v = (
            layer(hidden).reshape(*x.shape[:2], -1, c.head_dim)
            for layer in (self.q, self.k, self.v)
        )
        if c.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = (
            attention.split_heads(heads, c.kv_heads).astype(self.dtype)
            for heads in (rotate(q, rotation), rotate(k, rotation), v)
        )
        return kept(q), attention.KVCache(kept(k.swapaxes(-1, -2)), kept(v))

    def finish(self, x: jax.Array, attended: jax.Array) -> jax.Array:
        """Add what attention (K, R, T * group, hd) and the FFN give to the residual stream."""
        x = kept(x + self.o(attention.join_heads(attended, x.shape[1])))
        hidden = self.ffn_norm(x)
        gate, up = (kept(layer(hidden).astype(self.dtype)) for layer in (self.gate, self.up))
        return x + self.down(nn.silu(gate.astype(jnp.float32)) * up)

    @property
    def dtype(self) -> jnp.dtype:
        """The dtype of the kernels, and with it of everything that enters a product."""
        return jnp.dtype(self.variables["params"]["k"]["kernel"].dtype)


def kept(x: jax.Array) -> jax.Array:
    """Mark what the backward pass had better keep (KEPT) than recompute."""
    return jnp.asarray(bits.from_bits(ad_checkpoint.checkpoint_name(bits.as_bits(x), KEPT), x))


def rotate(x: jax.Array, rotation: Rotation) -> jax.Array:
    """Apply RoPE to (R, T, heads, hd), pairs half-split: dimension i goes with i + hd / 2."""
    cosine, sine = rotation
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate(
        [first * cosine - second * sine, second * cosine + first * sine], axis=-1
    )
