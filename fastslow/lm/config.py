"""What a decoder looks like, as data: sizes, variants and rotary position embedding."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

RopeScaling = Literal["none", "linear", "llama3", "yarn", "factors"]

_REQUIRED = {
    "none": (),
    "linear": ("factor",),
    "llama3": (
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ),
    "yarn": ("factor", "original_max_position_embeddings"),
    "factors": (),
}


@dataclasses.dataclass(frozen=True)
class Rope:
    """Rotary position embedding; `parameters` carry the names Hugging Face's `rope_scaling` uses.

    linear: factor. llama3: factor, low_freq_factor, high_freq_factor,
    original_max_position_embeddings. yarn: factor, original_max_position_embeddings and optionally
    beta_fast (32), beta_slow (1), attention_factor. factors: `factors` (head_dim / 2,) divide the
    frequencies one by one; optionally attention_factor. A missing parameter raises ValueError.
    """

    theta: float
    scaling: RopeScaling = "none"
    parameters: tuple[tuple[str, float], ...] = ()
    factors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.scaling not in _REQUIRED:
            raise ValueError(
                f"unknown RoPE scaling {self.scaling!r}; known: {', '.join(_REQUIRED)}"
            )
        missing = set(_REQUIRED[self.scaling]) - {name for name, _ in self.parameters}
        if missing:
            raise ValueError(f"RoPE scaling {self.scaling!r} needs {', '.join(sorted(missing))}")
        if (self.scaling == "factors") != bool(self.factors):
            raise ValueError("RoPE factors go with scaling='factors', and only with it")


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
    """Sizes and variants of a pre-norm decoder with grouped-query attention and a gated SiLU FFN.

    Covers the Llama family (SmolLM2, Llama 3), Qwen2/2.5 (`qkv_bias`) and Qwen3 (`qk_norm`).
    Inconsistent sizes raise ValueError.
    """

    vocab_size: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_width: int
    rope: Rope
    norm_eps: float
    qkv_bias: bool
    qk_norm: bool
    tied: bool
    max_context: int

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads do not share {self.kv_heads} kv_heads evenly")
        if self.head_dim % 2:
            raise ValueError(f"RoPE needs an even head_dim, got {self.head_dim}")
        if self.rope.factors and len(self.rope.factors) != self.head_dim // 2:
            raise ValueError(
                f"{len(self.rope.factors)} RoPE factors for {self.head_dim // 2} frequencies"
            )

    @property
    def group(self) -> int:
        """Query heads per key-value head."""
        return self.heads // self.kv_heads

    @property
    def multiplied_parameters(self) -> int:
        """Weights that multiply every token: all matrices with the head, without the look-up."""
        attention = 2 * self.width * self.head_dim * (self.heads + self.kv_heads)
        ffn = 3 * self.width * self.ffn_width
        return self.layers * (attention + ffn) + self.vocab_size * self.width

    def forward_flops(self, tokens: int) -> float:
        """Return the usual estimate of a forward pass: 2 x multiplied parameters x tokens."""
        return 2.0 * self.multiplied_parameters * tokens


def inverse_frequencies(rope: Rope, head_dim: int) -> np.ndarray:
    """Return the rotation in radians per position of each pair, float32 (head_dim / 2,)."""
    plain = rope.theta ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    parameters = dict(rope.parameters)
    match rope.scaling:
        case "linear":
            plain = plain / parameters["factor"]
        case "llama3":
            plain = _llama3(plain, parameters)
        case "yarn":
            plain = _yarn(plain, parameters, rope.theta, head_dim)
        case "factors":
            plain = plain / np.asarray(rope.factors, np.float64)
    return plain.astype(np.float32)


def attention_scale(rope: Rope) -> float:
    """Return the factor on rotated queries and keys: 1 except for yarn and long-context factors.

    YaRN (arXiv 2309.00071, eq. 22): 0.1 ln(factor) + 1, unless attention_factor is given.
    """
    parameters = dict(rope.parameters)
    if "attention_factor" in parameters:
        return parameters["attention_factor"]
    if rope.scaling == "yarn" and parameters["factor"] > 1:
        return 0.1 * math.log(parameters["factor"]) + 1.0
    return 1.0


def _llama3(plain: np.ndarray, parameters: Mapping[str, float]) -> np.ndarray:
    """Llama 3.1: keep short wavelengths, divide long ones by `factor`, interpolate in between."""
    low, high = parameters["low_freq_factor"], parameters["high_freq_factor"]
    rotations = parameters["original_max_position_embeddings"] * plain / (2 * math.pi)
    keep = np.clip((rotations - low) / (high - low), 0.0, 1.0)
    return keep * plain + (1 - keep) * plain / parameters["factor"]


def _yarn(
    plain: np.ndarray, parameters: Mapping[str, float], theta: float, head_dim: int
) -> np.ndarray:
    """YaRN, arXiv 2309.00071, section 3.2, with the ramp over pair indices all checkpoints use."""

    def pair_with(rotations: float) -> float:
        context = parameters["original_max_position_embeddings"]
        return head_dim * math.log(context / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low = max(math.floor(pair_with(parameters.get("beta_fast", 32.0))), 0)
    high = min(math.ceil(pair_with(parameters.get("beta_slow", 1.0))), head_dim - 1)
    ramp = np.clip((np.arange(head_dim // 2) - low) / max(high - low, 1e-3), 0.0, 1.0)
    return plain * (1 - ramp) + plain / parameters["factor"] * ramp
