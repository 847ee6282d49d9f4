"""Grouped-query attention over several key-value caches, merged by log-sum-exp.

Everything is laid out with key-value heads first: queries (K, R, M, hd) hold M = tokens x group
vectors per head. Each row has a cache of S tokens, or all rows share one, which then takes part in
one matrix product for all of them, without a copy per row. Keys are kept transposed: a decoding row
has few queries, and a product with few rows is mostly the time to transpose its other operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from fastslow.lm import products

MASKED = -1e30  # finite, so that a cache with every key masked gives weight 0 and not NaN


class KVCache(NamedTuple):
    """Keys and values of S tokens in one layer, per row; without the axis R if all rows share them.

    Functions of a whole model have them with the leading axis layer.
    """

    keys: jax.Array  # (K, R, hd, S)
    values: jax.Array  # (K, R, S, hd)

    @property
    def size(self) -> int:
        """How many tokens there is room for."""
        return self.keys.shape[-1]


class PrefixCache(NamedTuple):
    """The keys and values of a prefix that all rows share, padded to P tokens."""

    cache: KVCache
    length: jax.Array  # () int32: how many of its tokens are real


class Partial(NamedTuple):
    """Softmax attention over one cache before normalisation, relative to its largest score."""

    weighted: jax.Array  # (K, R, M, hd) sum of exp(score - maximum) * value
    total: jax.Array  # (K, R, M) sum of exp(score - maximum)
    maximum: jax.Array  # (K, R, M)


def split_heads(x: jax.Array, kv_heads: int) -> jax.Array:
    """Return (R, T, heads, hd) as (K, R, T * group, hd)."""
    rows, tokens, _, head_dim = x.shape
    heads_first = x.reshape(rows, tokens, kv_heads, -1, head_dim).transpose(2, 0, 1, 3, 4)
    return heads_first.reshape(kv_heads, rows, -1, head_dim)


def join_heads(x: jax.Array, tokens: int) -> jax.Array:
    """Return (K, R, T * group, hd) as (R, T, heads * hd)."""
    kv_heads, rows, _, head_dim = x.shape
    split = x.reshape(kv_heads, rows, tokens, -1, head_dim).transpose(1, 2, 0, 3, 4)
    return split.reshape(rows, tokens, -1)


def attend_shared(queries: jax.Array, cache: KVCache, length: jax.Array) -> Partial:
    """Attend to the first `length` () tokens of a cache that all rows share."""
    one_row = KVCache(cache.keys[:, None], cache.values[:, None])
    visible = jnp.arange(cache.size) < length
    return attend_grouped(queries, one_row, visible[None])


def attend_grouped(queries: jax.Array, cache: KVCache, visible: jax.Array) -> Partial:
    """Attend to caches that R / G successive rows share each, where `visible` (G, S) is true."""
    heads, rows, per_row, head_dim = queries.shape
    flat = queries.reshape(heads, len(visible), -1, head_dim)
    part = attend_rows(flat, cache, visible[:, None])
    return jax.tree.map(lambda x: x.reshape(heads, rows, per_row, *x.shape[3:]), part)


def attend_rows(queries: jax.Array, cache: KVCache, visible: jax.Array) -> Partial:
    """Attend to each row's own cache where `visible` (R, T or 1, S) is true."""
    _, rows, _, head_dim = queries.shape
    tokens, size = visible.shape[1:]
    scores = products.einsum(
        "krmd,krds->krms", queries.astype(jnp.float32) * head_dim**-0.5, cache.keys
    )
    by_token = scores.reshape(scores.shape[0], rows, tokens, -1, size)
    scores = jnp.where(visible[None, :, :, None], by_token, MASKED).reshape(scores.shape)
    maximum = jax.lax.stop_gradient(scores.max(-1))
    weights = jnp.exp(scores - maximum[..., None])
    weighted = products.einsum("krms,krsd->krmd", weights, cache.values)
    return Partial(weighted, weights.sum(-1), maximum)


def merge(parts: Sequence[Partial]) -> jax.Array:
    """Return softmax attention (K, R, M, hd) over all caches together."""
    maximum = jnp.stack([part.maximum for part in parts]).max(0)
    scales = [jnp.exp(part.maximum - maximum) for part in parts]
    weighted = [part.weighted * x[..., None] for part, x in zip(parts, scales, strict=True)]
    total = [part.total * x for part, x in zip(parts, scales, strict=True)]
    return jnp.asarray(sum(weighted)) / jnp.asarray(sum(total))[..., None]


def write(cache: KVCache, new: KVCache, index: jax.Array) -> KVCache:
    """Write the tokens of `new` into a row's cache from slot `index` () on."""
    update = jax.lax.dynamic_update_slice_in_dim
    keys = update(cache.keys, new.keys.astype(cache.keys.dtype), index, axis=-1)
    values = update(cache.values, new.values.astype(cache.values.dtype), index, axis=-2)
    return KVCache(keys, values)


def pad(cache: KVCache, size: int) -> KVCache:
    """Return the cache with room for `size` tokens, zeros behind its own."""
    more = (0, size - cache.size)
    before = ((0, 0),) * (cache.keys.ndim - 2)
    keys = jnp.pad(cache.keys, (*before, (0, 0), more))
    return KVCache(keys, jnp.pad(cache.values, (*before, more, (0, 0))))
