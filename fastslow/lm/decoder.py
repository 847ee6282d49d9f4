"""The decoder as Flax modules: one definition for training, scoring and sampling.

Parameters: `embed/embedding`, `blocks/*` stacked over layers, `final_norm/scale`, and `head/kernel`
unless tied. The optional "lora" collection mirrors the linear layers of `blocks` with `a` (L, in,
r) and `b` (L, r, out), added as (x @ a) @ b. The dtype of the kernels decides that of the products;
accumulation, residual stream and norms are float32 always.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ad_checkpoint

from fastslow import types
from fastslow.lm import attention, batch, config, products

Variables: TypeAlias = Mapping[str, Any]  # {"params": ..., "lora": ... (optional)}
Rotation: TypeAlias = tuple[jax.Array, jax.Array]  # cosine and sine, each (R, T, 1, hd / 2)


class Places(NamedTuple):
    """Where the tokens of a forward pass stand: the same for every layer."""

    rotation: Rotation
    visible: jax.Array  # (R, T, T) bool: which of the pass's own tokens each one sees
    prefix_length: jax.Array  # () int32: how much of the prefix memory is real


class Past(NamedTuple):
    """What one layer remembers while a completion is decoded token by token."""

    prefix: attention.Memory  # (K, P, hd)
    question: attention.Memory  # (K, R, T, hd)
    recent: attention.Memory  # float32 (K, R, N, hd): the completion, written in place


class Now(NamedTuple):
    """Where a decoding step stands: the same for every layer."""

    rotation: Rotation  # of the new token, T = 1
    prefix_length: jax.Array  # () int32
    question_visible: jax.Array  # (R, 1, T) bool
    slot: jax.Array  # () int32: the place of the new token in `Past.recent`


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
            out = out + (x @ self.get_variable("lora", "a")) @ self.get_variable("lora", "b")
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
        self, x: jax.Array, prefix: attention.Memory | None, places: Places
    ) -> tuple[jax.Array, attention.Memory]:
        """Return the new residual stream (R, T, D) and the tokens' memory (K, R, T, hd)."""
        queries, memory = self.project(x, places.rotation)
        parts = [attention.attend_rows(queries, memory, places.visible)]
        if prefix is not None:
            parts.append(attention.attend_shared(queries, prefix, places.prefix_length))
        return self.finish(x, attention.merge(parts)), memory

    def step(self, x: jax.Array, past: Past, now: Now) -> tuple[jax.Array, attention.Memory]:
        """Decode one token per row: return the residual stream (R, 1, D) and `past.recent`."""
        queries, new = self.project(x, now.rotation)
        recent = attention.write(past.recent, new, now.slot)
        written = jnp.arange(recent.keys.shape[2]) <= now.slot
        parts = [
            attention.attend_shared(queries, past.prefix, now.prefix_length),
            attention.attend_rows(queries, past.question, now.question_visible),
            attention.attend_rows(queries, recent, written[None, None]),
        ]
        return self.finish(x, attention.merge(parts)), recent

    def project(self, x: jax.Array, rotation: Rotation) -> tuple[jax.Array, attention.Memory]:
        """Return queries (K, R, T * group, hd) and memory, in the kernels' dtype."""
        c = self.config
        hidden = self.attn_norm(x)
        q, k, v = (
            layer(hidden).reshape(*x.shape[:2], -1, c.head_dim)
            for layer in (self.q, self.k, self.v)
        )
        if c.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = (
            kept(attention.split_heads(heads, c.kv_heads).astype(self.dtype))
            for heads in (rotate(q, rotation), rotate(k, rotation), v)
        )
        return q, attention.Memory(k, v)

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
    """Mark what the backward pass should rather keep than recompute."""
    return ad_checkpoint.checkpoint_name(x, "kept")


def rotate(x: jax.Array, rotation: Rotation) -> jax.Array:
    """Apply RoPE to (R, T, heads, hd), pairs half-split: dimension i goes with i + hd / 2."""
    cosine, sine = rotation
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate(
        [first * cosine - second * sine, second * cosine + first * sine], axis=-1
    )


def rematerialised(everything: bool) -> type[Block]:
    """Return a block that recomputes in the backward pass what is cheap, or all but its input."""
    policies = jax.checkpoint_policies
    policy = policies.nothing_saveable if everything else policies.save_only_these_names("kept")
    return nn.remat(Block, prevent_cse=False, policy=policy)


class Decoder(nn.Module):
    """Embedding, stacked blocks, final norm and head."""

    config: config.DecoderConfig
    remat: bool = False  # keep only the input of each layer for the backward pass

    def setup(self) -> None:
        """Declare the layers under the names of the parameter tree."""
        c = self.config
        self.embed = nn.Embed(c.vocab_size, c.width)
        self.blocks = nn.scan(
            rematerialised(self.remat),
            variable_axes={"params": 0, "lora": 0},
            split_rngs={"params": True},
            in_axes=(0, nn.broadcast),
            length=c.layers,
        )(c)
        self.final_norm = RMSNorm(c.norm_eps)
        if not c.tied:
            self.head = Linear(c.vocab_size)

    def __call__(
        self, tokens: jax.Array, prefix: attention.Memory | None, places: Places
    ) -> tuple[jax.Array, attention.Memory]:
        """Return residual stream (R, T, D) and memory (L, K, R, T, hd) of `tokens` (R, T)."""
        x, memory = self.blocks(self.embedded(tokens), prefix, places)
        return x, memory

    def embedded(self, tokens: jax.Array) -> jax.Array:
        """Return the residual stream (R, T, D) before the first block."""
        return self.embed(tokens).astype(jnp.float32)

    def logits(self, x: jax.Array) -> jax.Array:
        """Map the residual stream (R, T, D) to float32 logits (R, T, V)."""
        hidden = self.final_norm(x)
        if self.config.tied:
            return products.einsum("rtd,vd->rtv", hidden, self.embed.embedding)
        return self.head(hidden)

    def forward(self, tokens: jax.Array) -> jax.Array:
        """Return float32 logits (R, T, V) after every one of `tokens` (R, T), no prefix."""
        rows = batch.plain_rows(tokens, jnp.full(tokens.shape[:1], tokens.shape[1]))
        x, _ = self(tokens, None, places(self.config, rows, 0))
        return self.logits(x)


def places(
    decoder: config.DecoderConfig, rows: batch.Rows, prefix_length: jax.Array | int
) -> Places:
    """Build what every layer must know of `rows` that stand behind `prefix_length` tokens."""
    segments = jnp.asarray(rows.segments)
    seen, seer = segments[:, None, :], segments[:, :, None]
    visible = jnp.tri(segments.shape[1], dtype=bool) & (
        (seen == batch.TRUNK) | ((seen == seer) & (seen != batch.PADDING))
    )
    positions = jnp.asarray(rows.positions) + prefix_length
    return Places(rotation(decoder, positions), visible, jnp.asarray(prefix_length))


def rotation(decoder: config.DecoderConfig, positions: jax.Array) -> Rotation:
    """Return cosine and sine for RoPE at `positions` (R, T), each float32 (R, T, 1, hd / 2)."""
    frequencies = config.inverse_frequencies(decoder.rope, decoder.head_dim)
    angles = positions[..., None, None].astype(jnp.float32) * frequencies
    scale = config.attention_scale(decoder.rope)
    return scale * jnp.cos(angles), scale * jnp.sin(angles)


def init(decoder: config.DecoderConfig, seed: int, dtype: jnp.dtype) -> types.PyTree:
    """Return random "params"; kernels and embeddings in `dtype`, norm scales and biases float32."""
    tokens = jnp.zeros((1, 2), jnp.int32)
    params = Decoder(decoder).init(jax.random.key(seed), tokens, method=Decoder.forward)["params"]
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf.astype(dtype) if path[-1].key in ("kernel", "embedding") else leaf,
        params,
    )


def apply(module: nn.Module, variables: Variables, *args: Any, **kwargs: Any) -> Any:
    """Run a method of a module on immutable variables (typed loosely, as Flax's own is)."""
    return module.apply(variables, *args, **kwargs)


def encode_prefix(
    decoder: config.DecoderConfig, variables: Variables, prefix: jax.Array, *, remat: bool = False
) -> attention.Memory:
    """Return the memory (L, K, P, hd) of one token sequence (P,), computed once for all rows."""
    rows = batch.plain_rows(prefix[None], jnp.asarray(prefix.shape))
    module = Decoder(decoder, remat)
    _, memory = apply(module, variables, rows.tokens, None, places(decoder, rows, 0))
    return attention.Memory(memory.keys[:, :, 0], memory.values[:, :, 0])


def encode_rows(
    decoder: config.DecoderConfig,
    variables: Variables,
    prefix: attention.Memory,
    prefix_length: jax.Array,
    rows: batch.Rows,
    *,
    remat: bool = False,
) -> tuple[jax.Array, attention.Memory]:
    """Run rows of tokens (R, T) behind a shared prefix.

    Returns the residual stream (R, T, D) and the memory (L, K, R, T, hd).
    """
    module = Decoder(decoder, remat)
    tokens = jnp.asarray(rows.tokens)
    x, memory = apply(module, variables, tokens, prefix, places(decoder, rows, prefix_length))
    return x, memory


def logits(decoder: config.DecoderConfig, variables: Variables, x: jax.Array) -> jax.Array:
    """Map the residual stream (R, T, D) to float32 logits (R, T, V)."""
    return jnp.asarray(apply(Decoder(decoder), variables, x, method=Decoder.logits))


def completion_logits(
    decoder: config.DecoderConfig,
    variables: Variables,
    rows: batch.TokenBatch,
    *,
    remat: bool = False,
) -> jax.Array:
    """Return the logits that predict the completion tokens, float32 (R, N, V).

    Differentiable in every collection, through the shared prefix too. Padded positions hold finite
    numbers without meaning.
    """
    width, size = rows.question.shape[1], rows.completion.shape[1]
    prefix = encode_prefix(decoder, variables, jnp.asarray(rows.prefix), remat=remat)
    tokens = jnp.concatenate([rows.question, rows.completion[:, : size - 1]], axis=1)
    read = batch.plain_rows(tokens, jnp.asarray(rows.question_length) + size - 1)
    length = jnp.asarray(rows.prefix_length)
    x, _ = encode_rows(decoder, variables, prefix, length, read, remat=remat)
    return logits(decoder, variables, x[:, width - 1 :])
