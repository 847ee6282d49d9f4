"""The decoder: one definition for training, scoring and sampling.

Parameters: `embed/embedding`, `blocks/*` stacked over layers, `final_norm/scale`, and `head/kernel`
unless tied. The optional "lora" collection mirrors the linear layers of `blocks` with `a` (L, in,
r) and `b` (L, r, out), added as (x @ a) @ b. The dtype of the kernels decides that of the products;
accumulation, residual stream and norms are float32 always.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp

from fastslow import types
from fastslow.lm import attention, batch, bits, block, config, native, products

Variables: TypeAlias = Mapping[str, Any]  # {"params": ..., "lora": ... (optional)}


class Ends(nn.Module):
    """What stands before and behind the blocks: embedding, final norm and head."""

    config: config.DecoderConfig

    def setup(self) -> None:
        """Declare the layers under the names of the parameter tree."""
        c = self.config
        self.embed = nn.Embed(c.vocab_size, c.width)
        self.final_norm = block.RMSNorm(c.norm_eps)
        if not c.tied:
            self.head = block.Linear(c.vocab_size)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Run all layers once, so that `init` makes their parameters."""
        return self.logits(self.embedded(tokens))

    def embedded(self, tokens: jax.Array) -> jax.Array:
        """Return the residual stream (R, T, D) before the first block."""
        table = self.embed.embedding
        found = bits.from_bits(bits.entry(table, tokens), table[tokens])
        return jnp.asarray(found).astype(jnp.float32)

    def logits(self, x: jax.Array) -> jax.Array:
        """Map the residual stream (R, T, D) to float32 logits (R, T, V)."""
        hidden = self.final_norm(x)
        if self.config.tied:
            # The larger operand on the left is read as it is; on the right it would be transposed.
            by_token = products.einsum("rtd,vd->vrt", hidden, self.embed.embedding)
            return jnp.moveaxis(by_token, 0, -1)
        # XLA on CPUs moves a later transpose into a bfloat16 product, and then cannot run it.
        return jnp.asarray(jax.lax.optimization_barrier(self.head(hidden)))


def init(shape: config.DecoderConfig, seed: int, dtype: jnp.dtype) -> types.PyTree:
    """Return random "params"; kernels and embeddings in `dtype`, norm scales and biases float32."""
    tokens = jnp.zeros((1, 1), jnp.int32)
    first, *others = jax.random.split(jax.random.key(seed), 1 + shape.layers)
    ends = Ends(shape).init(first, tokens)["params"]
    x = jnp.zeros((1, 1, shape.width))
    around = places(shape, batch.plain_rows(tokens, jnp.ones(1, jnp.int32)), 0)
    module = block.Block(shape)
    blocks = jax.vmap(lambda key: module.init(key, x, None, around)["params"])(jnp.stack(others))
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf.astype(dtype) if path[-1].key in ("kernel", "embedding") else leaf,
        {**ends, "blocks": blocks},
    )


def places(
    shape: config.DecoderConfig, rows: batch.Rows, prefix_length: jax.Array | int
) -> block.Places:
    """Build what every layer must know of `rows` that stand behind `prefix_length` tokens."""
    sequences, branches = jnp.asarray(rows.sequences), jnp.asarray(rows.branches)
    seen = lambda x: x[:, None, :]
    seer = lambda x: x[:, :, None]
    visible = (
        jnp.tri(sequences.shape[1], dtype=bool)
        & (seen(sequences) == seer(sequences))
        & (seen(sequences) != batch.PADDING)
        & ((seen(branches) == batch.TRUNK) | (seen(branches) == seer(branches)))
    )
    positions = jnp.asarray(rows.positions) + prefix_length
    return block.Places(rotation(shape, positions), visible, jnp.asarray(prefix_length))


def rotation(shape: config.DecoderConfig, positions: jax.Array) -> block.Rotation:
    """Return cosine and sine for RoPE at `positions` (R, T), each float32 (R, T, 1, hd / 2)."""
    frequencies = config.inverse_frequencies(shape.rope, shape.head_dim)
    angles = positions[..., None, None].astype(jnp.float32) * frequencies
    scale = config.attention_scale(shape.rope)
    return scale * jnp.cos(angles), scale * jnp.sin(angles)


def apply(module: nn.Module, variables: Variables, *args: Any, **kwargs: Any) -> Any:
    """Run a method of a module on immutable variables (typed loosely, as Flax's own is)."""
    return module.apply(variables, *args, **kwargs)


def embedded(shape: config.DecoderConfig, variables: Variables, tokens: jax.Array) -> jax.Array:
    """Return the residual stream (R, T, D) before the first block, from tokens (R, T)."""
    return jnp.asarray(apply(Ends(shape), variables, tokens, method=Ends.embedded))


def logits(shape: config.DecoderConfig, variables: Variables, x: jax.Array) -> jax.Array:
    """Map a residual stream (..., D) to float32 logits (..., V)."""
    rows = x.reshape(1, -1, x.shape[-1])
    found = jnp.asarray(apply(Ends(shape), variables, rows, method=Ends.logits))
    return found.reshape(*x.shape[:-1], -1)


def at(x: jax.Array, indices: jax.Array) -> jax.Array:
    """Return the entries `indices` (...) among the R * T tokens of a residual stream (R, T, D)."""
    return x.reshape(-1, x.shape[-1])[indices]


def stacked_blocks(variables: Variables) -> Variables:
    """Return the variables of the blocks alone, every leaf with the leading axis layer."""
    return {name: tree["blocks"] for name, tree in variables.items() if "blocks" in tree}


def encode(
    shape: config.DecoderConfig,
    variables: Variables,
    prefix: attention.PrefixCache | None,
    rows: batch.Rows,
    *,
    remat: bool = False,
) -> tuple[jax.Array, attention.KVCache]:
    """Run rows of tokens (R, T), behind a shared prefix if there is one.

    Returns the residual stream (R, T, D) and the cache of T tokens in all layers. For the backward
    pass every layer keeps its input, and unless `remat` the operands of its larger products.
    """
    around = places(shape, rows, 0 if prefix is None else prefix.length)
    module = block.Block(shape)

    def layer(x: jax.Array, sliced: Any) -> tuple[jax.Array, Any]:
        index, like = sliced
        weights, prefix_cache = bits.from_bits(bits.entry(stacks, index), like)
        x, cache = apply(module, weights, x, prefix_cache, around)
        return x, (bits.as_bits(cache), cache)

    policies = jax.checkpoint_policies
    policy = policies.nothing_saveable if remat else policies.save_only_these_names(block.KEPT)
    stacks = (stacked_blocks(variables), None if prefix is None else prefix.cache)
    x, cache = jax.lax.scan(
        jax.checkpoint(layer, prevent_cse=False, policy=policy),
        embedded(shape, variables, jnp.asarray(rows.tokens)),
        (jnp.arange(shape.layers), stacks),
    )
    return x, bits.from_bits(*cache)


def encode_in_blocks(
    shape: config.DecoderConfig,
    variables: Variables,
    prefix: attention.PrefixCache,
    rows: batch.Rows,
) -> tuple[jax.Array, attention.KVCache]:
    """Run rows like `encode`, as many at a time as the processor's cache favours."""
    count, width = rows.tokens.shape
    size = native.rows_at_once(count, width)
    if size == count:
        return encode(shape, variables, prefix, rows)

    def run(some: batch.Rows) -> Any:
        x, cache = encode(shape, variables, prefix, some)
        return x, bits.as_bits(cache), cache

    def joined(blocks: jax.Array) -> jax.Array:  # (B, L, K, R / B, ...) as (L, K, R, ...)
        first = jnp.moveaxis(blocks, 0, 2)
        return first.reshape(*first.shape[:2], count, *first.shape[4:])

    blocks = jax.tree.map(lambda x: jnp.reshape(x, (-1, size, width)), rows)
    x, *caches = jax.lax.map(run, blocks)
    return x.reshape(count, width, -1), bits.from_bits(*jax.tree.map(joined, caches))


def prefill_prefix(
    shape: config.DecoderConfig,
    variables: Variables,
    tokens: jax.Array,
    length: batch.Array,
    *,
    remat: bool = False,
) -> attention.PrefixCache:
    """Return the cache, in all layers, of the prefix that rows share: the first `length` () tokens.

    `tokens` (P,) are padded on the right.
    """
    rows = batch.plain_rows(tokens[None], jnp.asarray(tokens.shape))
    _, cache = encode(shape, variables, None, rows, remat=remat)
    shared = attention.KVCache(cache.keys[:, :, 0], cache.values[:, :, 0])
    return attention.PrefixCache(shared, jnp.asarray(length))


def completion_logits(
    shape: config.DecoderConfig,
    variables: Variables,
    inputs: batch.TokenBatch,
    *,
    remat: bool = False,
) -> jax.Array:
    """Return the logits that predict the targets, float32 (N, V).

    Differentiable in every collection, through the shared prefix too. Padded positions hold finite
    numbers without meaning.
    """
    tokens = jnp.asarray(inputs.prefix)
    prefix = prefill_prefix(shape, variables, tokens, inputs.prefix_length, remat=remat)
    x, _ = encode(shape, variables, prefix, inputs.rows, remat=remat)
    return logits(shape, variables, at(x, jnp.asarray(inputs.predictors)))
