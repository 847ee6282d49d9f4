"""Low-rank adaptation (LoRA, arXiv 2106.09685)."""

from __future__ import annotations

import zlib

import jax
import jax.numpy as jnp

from fastslow import registry, types
from fastslow.lm import products
from fastslow.slow import contracts

DEFAULT_TARGETS = ("q", "v", "up", "down")


def lora(
    rank: int = 8, alpha: float = 16.0, targets: tuple[str, ...] = DEFAULT_TARGETS
) -> contracts.Adapter:
    """Train a low-rank delta of chosen block kernels: W + (alpha / rank) a b.

    `targets` are modules of `params["blocks"]` with a kernel (L, in, out). a (L, in, rank) starts
    as N(0, 1/in), b (L, rank, out) as 0 (arXiv 2106.09685, section 4.1). Raises ValueError for a
    rank below 1 or no targets, and at `init` for a target the model does not have.
    """
    if rank < 1 or not targets:
        raise ValueError(f"lora needs rank >= 1 and targets, got rank={rank}, targets={targets}")
    scale = alpha / rank

    def init(seed: int, params: types.PyTree) -> types.PyTree:
        kernels = _kernels(params)
        for name in targets:
            if name not in kernels:
                raise registry.unknown("lora target", name, kernels)
        return {"blocks": {n: _factors(seed, n, kernels[n].shape, rank) for n in targets}}

    def bind(params: types.PyTree, trainable: types.PyTree) -> contracts.Variables:
        blocks = {n: {"a": f["a"], "b": scale * f["b"]} for n, f in trainable["blocks"].items()}
        return {"params": params, "lora": {"blocks": blocks}}

    def merge(params: types.PyTree, trainable: types.PyTree) -> types.PyTree:
        blocks = dict(params["blocks"])
        for name, factors in trainable["blocks"].items():
            kernel = blocks[name]["kernel"]
            dense = kernel + scale * products.einsum("lir,lro->lio", factors["a"], factors["b"])
            blocks[name] = {**blocks[name], "kernel": dense.astype(kernel.dtype)}
        return {**params, "blocks": blocks}

    return contracts.Adapter(init, bind, merge)


def _kernels(params: types.PyTree) -> dict[str, jax.Array]:
    return {n: m["kernel"] for n, m in params["blocks"].items() if "kernel" in m}


def _factors(seed: int, name: str, shape: tuple[int, ...], rank: int) -> dict[str, jax.Array]:
    layers, width_in, width_out = shape
    # Keyed by name: a target's start does not depend on which other targets there are.
    key = jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()) >> 1)
    a = jax.random.normal(key, (layers, width_in, rank), jnp.float32) / jnp.sqrt(width_in)
    return {"a": a, "b": jnp.zeros((layers, rank, width_out), jnp.float32)}
