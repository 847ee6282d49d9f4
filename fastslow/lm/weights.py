"""From the named tensors of a file to the parameter tree of the decoder.

A `Layout` says what a family of files calls each tensor; the tree stacks the layers (axis 0) and
turns (out, in) matrices into (in, out) kernels. Nothing is guessed: a tensor that is missing, has
another shape or is not used is an error that names the file and the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from fastslow import types
from fastslow.lm import config as lm_config
from fastslow.lm import source


class Tensors(NamedTuple):
    """The named tensors of a file; `read` gives matrices as (out, in)."""

    where: str  # the file or directory, for messages
    names: frozenset[str]
    read: Callable[[str], np.ndarray]


class Layout(NamedTuple):
    """What a family of files calls the tensors; the names in `blocks` have {} for the layer."""

    embedding: str
    final_norm: str
    head: str
    blocks: Mapping[str, str]  # "q/kernel" -> "model.layers.{}.self_attn.q_proj.weight"


def block_shapes(config: lm_config.DecoderConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every leaf of one block, by "module/leaf"."""
    queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    shapes: dict[str, tuple[int, ...]] = {
        "attn_norm/scale": (config.width,),
        "q/kernel": (config.width, queries),
        "k/kernel": (config.width, keys),
        "v/kernel": (config.width, keys),
        "o/kernel": (queries, config.width),
        "ffn_norm/scale": (config.width,),
        "gate/kernel": (config.width, config.ffn_width),
        "up/kernel": (config.width, config.ffn_width),
        "down/kernel": (config.ffn_width, config.width),
    }
    if config.qkv_bias:
        shapes |= {"q/bias": (queries,), "k/bias": (keys,), "v/bias": (keys,)}
    if config.qk_norm:
        shapes |= {"q_norm/scale": (config.head_dim,), "k_norm/scale": (config.head_dim,)}
    return shapes


def assemble(
    config: lm_config.DecoderConfig, layout: Layout, tensors: Tensors, dtype: source.Dtype
) -> types.PyTree:
    """Return the parameter tree: kernels and embedding in `dtype`, scales and biases float32.

    Raises source.LoadError for a missing, misshapen or unused tensor.
    """
    _check_names(config, layout, tensors)
    kind = source.DTYPES[dtype]
    vocabulary = (config.vocab_size, config.width)
    tree: dict[str, types.PyTree] = {
        "embed": {"embedding": _read(tensors, layout.embedding, vocabulary).astype(kind)},
        "blocks": {},
        "final_norm": {
            "scale": _read(tensors, layout.final_norm, (config.width,)).astype(np.float32)
        },
    }
    for path, shape in block_shapes(config).items():
        module, leaf = path.split("/")
        names = [layout.blocks[path].format(i) for i in range(config.layers)]
        tree["blocks"].setdefault(module, {})[leaf] = _stack(tensors, names, shape, kind)
    if not config.tied:
        head = _read(tensors, layout.head, vocabulary)
        tree["head"] = {"kernel": np.ascontiguousarray(head.T).astype(kind)}
    return tree


def cast(params: types.PyTree, dtype: source.Dtype) -> types.PyTree:
    """Return a parameter tree with kernels and embedding in `dtype`, all else float32."""
    kind = source.DTYPES[dtype]
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf.astype(
            kind if path[-1].key in ("kernel", "embedding") else np.float32
        ),
        params,
    )


def named(
    config: lm_config.DecoderConfig, layout: Layout, params: types.PyTree
) -> dict[str, np.ndarray]:
    """Invert `assemble`: return every tensor under its name in a file, matrices as (out, in)."""
    tensors = {
        layout.embedding: np.asarray(params["embed"]["embedding"]),
        layout.final_norm: np.asarray(params["final_norm"]["scale"]),
    }
    for path in block_shapes(config):
        module, leaf = path.split("/")
        for layer, array in enumerate(np.asarray(params["blocks"][module][leaf])):
            tensors[layout.blocks[path].format(layer)] = np.ascontiguousarray(array.T)
    if not config.tied:
        tensors[layout.head] = np.ascontiguousarray(np.asarray(params["head"]["kernel"]).T)
    return tensors


def _stack(
    tensors: Tensors, names: list[str], shape: tuple[int, ...], kind: np.dtype
) -> np.ndarray:
    """Return (L, *shape): matrices transposed from (out, in) in `kind`, vectors in float32."""
    is_matrix = len(shape) == 2
    stacked = np.empty((len(names), *shape), kind if is_matrix else np.float32)
    for i, name in enumerate(names):
        stacked[i] = _read(tensors, name, shape[::-1]).T
    return stacked


def _read(tensors: Tensors, name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = tensors.read(name)
    if array.shape != shape:
        raise source.LoadError(
            f"{tensors.where}: tensor {name} has shape {array.shape},"
            f" but the configuration says {shape}"
        )
    return array


def _check_names(config: lm_config.DecoderConfig, layout: Layout, tensors: Tensors) -> None:
    """Compare the tensors that are there with those the configuration asks for."""
    expected = {layout.embedding, layout.final_norm} | ({layout.head} - _tied_head(config, layout))
    for path in block_shapes(config):
        expected |= {layout.blocks[path].format(i) for i in range(config.layers)}
    if missing := sorted(expected - tensors.names):
        raise source.LoadError(f"{tensors.where}: missing tensors: {_few(missing)}")
    if unused := sorted(tensors.names - expected - _tied_head(config, layout)):
        raise source.LoadError(
            f"{tensors.where}: tensors this decoder has no use for: {_few(unused)}"
        )


def _tied_head(config: lm_config.DecoderConfig, layout: Layout) -> set[str]:
    return {layout.head} if config.tied else set()


def _few(names: list[str]) -> str:
    rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + rest
