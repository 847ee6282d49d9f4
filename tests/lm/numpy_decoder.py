"""The decoder once more, in float64 NumPy, as plainly as possible: no batch, no prefix."""

from __future__ import annotations

import math

import numpy as np

from fastslow.lm import config


def frequency(rope: config.Rope, head_dim: int, pair: int) -> float:
    """Return the rotation per position of one pair, after the published formulas."""
    p = dict(rope.parameters)
    plain = 1.0 / rope.theta ** (2 * pair / head_dim)
    if rope.scaling == "linear":
        return plain / p["factor"]
    if rope.scaling == "factors":
        return plain / rope.factors[pair]
    if rope.scaling == "llama3":
        wavelength = 2 * math.pi / plain
        old = p["original_max_position_embeddings"]
        if wavelength < old / p["high_freq_factor"]:
            return plain
        if wavelength > old / p["low_freq_factor"]:
            return plain / p["factor"]
        smooth = (old / wavelength - p["low_freq_factor"]) / (
            p["high_freq_factor"] - p["low_freq_factor"]
        )
        return (1 - smooth) * plain / p["factor"] + smooth * plain
    if rope.scaling == "yarn":
        old = p["original_max_position_embeddings"]
        where = lambda turns: (
            head_dim * math.log(old / (turns * 2 * math.pi)) / (2 * math.log(rope.theta))
        )
        low, high = max(math.floor(where(32)), 0), min(math.ceil(where(1)), head_dim - 1)
        interpolated = min(max((pair - low) / (high - low), 0.0), 1.0)
        return plain / p["factor"] * interpolated + plain * (1 - interpolated)
    return plain


def rotated(c: config.DecoderConfig, heads: np.ndarray) -> np.ndarray:
    """Rotate (T, H, hd) as complex numbers whose real and imaginary halves lie side by side."""
    half = c.head_dim // 2
    scale = 0.1 * math.log(dict(c.rope.parameters)["factor"]) + 1 if c.rope.scaling == "yarn" else 1
    turns = np.array([frequency(c.rope, c.head_dim, i) for i in range(half)])
    phase = np.exp(1j * np.arange(len(heads))[:, None, None] * turns)
    z = (heads[..., :half] + 1j * heads[..., half:]) * phase * scale
    return np.concatenate([z.real, z.imag], axis=-1)


def normed(x: np.ndarray, scale: np.ndarray, eps: float) -> np.ndarray:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * scale


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def linear(layer: dict, x: np.ndarray) -> np.ndarray:
    return x @ layer["kernel"] + layer.get("bias", 0.0)


def attention(c: config.DecoderConfig, w: dict, x: np.ndarray) -> np.ndarray:
    q, k, v = (linear(w[n], x).reshape(len(x), -1, c.head_dim) for n in "qkv")
    if c.qk_norm:
        q = normed(q, w["q_norm"]["scale"], c.norm_eps)
        k = normed(k, w["k_norm"]["scale"], c.norm_eps)
    q, k = rotated(c, q), rotated(c, k)
    out = np.zeros_like(q)
    for head in range(c.heads):
        kv = head // (c.heads // c.kv_heads)
        scores = q[:, head] @ k[:, kv].T / math.sqrt(c.head_dim)
        scores[np.triu_indices(len(x), 1)] = -np.inf
        out[:, head] = softmax(scores) @ v[:, kv]
    return linear(w["o"], out.reshape(len(x), -1))


def logits(c: config.DecoderConfig, params: dict, tokens: list[int]) -> np.ndarray:
    """Return the logits (T, V) after each of `tokens`."""

    def doubled(tree):
        if isinstance(tree, dict):
            return {name: doubled(child) for name, child in tree.items()}
        return np.asarray(tree, np.float64)

    params = doubled(params)
    x = params["embed"]["embedding"][np.asarray(tokens)]
    for i in range(c.layers):
        w = {
            name: {part: leaf[i] for part, leaf in layer.items()}
            for name, layer in params["blocks"].items()
        }
        x = x + attention(c, w, normed(x, w["attn_norm"]["scale"], c.norm_eps))
        h = normed(x, w["ffn_norm"]["scale"], c.norm_eps)
        gate = linear(w["gate"], h)
        x = x + linear(w["down"], gate / (1 + np.exp(-gate)) * linear(w["up"], h))
    x = normed(x, params["final_norm"]["scale"], c.norm_eps)
    head = params["embed"]["embedding"].T if c.tied else params["head"]["kernel"]
    return x @ head
