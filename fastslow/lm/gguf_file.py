"""Models from GGUF files: metadata to configuration, dequantised tensors, tokenizer, chat template.

GGUF stores the query and key rows of the llama architecture with the two halves of each rotated
pair next to each other; they are put back into the half-split order here. Format and key names:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import gguf
import numpy as np

from fastslow.lm import chat, source, tokenizer, weights
from fastslow.lm import config as lm_config

ARCHITECTURES = ("llama", "qwen2", "qwen3")

_LAYOUT = weights.Layout(
    embedding="token_embd.weight",
    final_norm="output_norm.weight",
    head="output.weight",
    blocks={
        "attn_norm/scale": "blk.{}.attn_norm.weight",
        "q/kernel": "blk.{}.attn_q.weight",
        "k/kernel": "blk.{}.attn_k.weight",
        "v/kernel": "blk.{}.attn_v.weight",
        "o/kernel": "blk.{}.attn_output.weight",
        "q/bias": "blk.{}.attn_q.bias",
        "k/bias": "blk.{}.attn_k.bias",
        "v/bias": "blk.{}.attn_v.bias",
        "q_norm/scale": "blk.{}.attn_q_norm.weight",
        "k_norm/scale": "blk.{}.attn_k_norm.weight",
        "ffn_norm/scale": "blk.{}.ffn_norm.weight",
        "gate/kernel": "blk.{}.ffn_gate.weight",
        "up/kernel": "blk.{}.ffn_up.weight",
        "down/kernel": "blk.{}.ffn_down.weight",
    },
)
_ROPE_FACTORS = "rope_freqs.weight"
_ROPE_SETTINGS = {
    "factor": "factor",
    "original_context_length": "original_max_position_embeddings",
    "yarn_beta_fast": "beta_fast",
    "yarn_beta_slow": "beta_slow",
}
_REQUIRED: Any = object()


class _File:
    """A GGUF file, opened: its metadata with errors that name the file, and its tensors."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        try:
            reader = gguf.GGUFReader(path)
        except (OSError, ValueError, LookupError, MemoryError) as error:
            raise source.LoadError(f"{path}: not a readable GGUF file: {error}") from error
        self.metadata: Mapping[str, gguf.ReaderField] = reader.fields
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.architecture: str = self.get("general.architecture")

    def get(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a metadata value; without a default, a missing key is a LoadError."""
        if key in self.metadata:
            return self.metadata[key].contents()
        if default is _REQUIRED:
            raise source.LoadError(f"{self.path}: missing metadata {key!r}")
        return default

    def own(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a metadata value of the architecture, e.g. "block_count"."""
        return self.get(f"{self.architecture}.{key}", default)

    def read(self, name: str) -> np.ndarray:
        """Return a tensor as float32, matrices as (out, in)."""
        tensor = self.tensors[name]
        try:
            return gguf.dequantize(tensor.data, tensor.tensor_type)
        except (NotImplementedError, ValueError) as error:
            raise source.LoadError(
                f"{self.path}: tensor {name} ({tensor.tensor_type.name}): {error}"
            ) from error


def read(path: pathlib.Path, dtype: source.Dtype) -> source.Source:
    """Read a model from a GGUF file, dequantising it (4 s for 135 million parameters).

    Raises source.LoadError for a damaged file, an architecture other than `ARCHITECTURES`, a
    tokenizer that is not byte-level BPE, or tensors that do not fit the metadata.
    """
    file = _File(path)
    if file.architecture not in ARCHITECTURES:
        raise source.LoadError(
            f"{path}: architecture {file.architecture!r} is not supported;"
            f" supported: {', '.join(ARCHITECTURES)}"
        )
    try:
        config = _config(file)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise source.LoadError(f"{path}: {error}") from error
    return source.Source(
        config, weights.assemble(config, _LAYOUT, _tensors(file, config), dtype), _chat(file)
    )


def _config(file: _File) -> lm_config.DecoderConfig:
    width, heads = file.own("embedding_length"), file.own("attention.head_count")
    head_dim = file.own("attention.key_length", width // heads)
    for key in ("attention.value_length", "rope.dimension_count"):
        if file.own(key, head_dim) != head_dim:
            raise source.LoadError(f"{file.path}: {key} other than {head_dim} is not supported")
    return lm_config.DecoderConfig(
        vocab_size=len(file.get("tokenizer.ggml.tokens")),
        width=width,
        layers=file.own("block_count"),
        heads=heads,
        kv_heads=file.own("attention.head_count_kv", heads),
        head_dim=head_dim,
        ffn_width=file.own("feed_forward_length"),
        rope=_rope(file),
        norm_eps=float(file.own("attention.layer_norm_rms_epsilon")),
        qkv_bias="blk.0.attn_q.bias" in file.tensors,
        qk_norm="blk.0.attn_q_norm.weight" in file.tensors,
        tied=_LAYOUT.head not in file.tensors,
        max_context=file.own("context_length"),
    )


def _rope(file: _File) -> lm_config.Rope:
    theta = float(file.own("rope.freq_base", 10000.0))
    if _ROPE_FACTORS in file.tensors:
        factors = tuple(map(float, file.read(_ROPE_FACTORS)))
        return lm_config.Rope(theta, "factors", factors=factors)
    start = f"{file.architecture}.rope.scaling."
    given = {key.removeprefix(start) for key in file.metadata if key.startswith(start)}
    # A factor without a type is a linear one, as llama.cpp reads it.
    kind = file.own("rope.scaling.type", "linear" if "factor" in given else "none")
    if kind == "none":
        return lm_config.Rope(theta)
    unknown = given - set(_ROPE_SETTINGS) - {"type", "finetuned"}
    if kind not in ("linear", "yarn") or unknown:
        what = f"{kind!r} with {sorted(unknown)}" if unknown else repr(kind)
        raise source.LoadError(f"{file.path}: RoPE scaling {what} is not supported")
    named = sorted(given & set(_ROPE_SETTINGS))
    parameters = tuple((_ROPE_SETTINGS[key], float(file.get(start + key))) for key in named)
    return lm_config.Rope(theta, kind, parameters)


def _tensors(file: _File, config: lm_config.DecoderConfig) -> weights.Tensors:
    def read(name: str) -> np.ndarray:
        array = file.read(name)
        # llama.cpp's converter interleaves the halves of queries and keys, biases too.
        if file.architecture == "llama" and name.rpartition(".")[0].endswith(("attn_q", "attn_k")):
            return _half_split(array, config.head_dim)
        return array

    names = frozenset(file.tensors) - {_ROPE_FACTORS}
    return weights.Tensors(str(file.path), names, read)


def _half_split(rows: np.ndarray, head_dim: int) -> np.ndarray:
    """Reorder the rows of each head from (x0 y0 x1 y1 ...) to (x0 x1 ... y0 y1 ...)."""
    pairs = rows.reshape(-1, head_dim // 2, 2, *rows.shape[1:])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def _chat(file: _File) -> chat.ChatSpec:
    model, style = file.get("tokenizer.ggml.model"), file.get("tokenizer.ggml.pre", "default")
    if model != "gpt2" or style not in tokenizer.styles():
        raise source.LoadError(
            f"{file.path}: tokenizer {model!r} with pre-tokenizer {style!r} is not supported;"
            f" supported: 'gpt2' with {', '.join(tokenizer.styles())}"
        )
    tokens, kinds = file.get("tokenizer.ggml.tokens"), file.get("tokenizer.ggml.token_type")
    try:
        built = tokenizer.from_vocabulary(tokens, file.get("tokenizer.ggml.merges"), kinds, style)
    except Exception as error:  # the tokenizers library raises no narrower class
        raise source.LoadError(f"{file.path}: unusable tokenizer: {error}") from error
    bos, *stops = (
        file.get(f"tokenizer.ggml.{name}_token_id", None) for name in ("bos", "eos", "eot", "eom")
    )
    return chat.ChatSpec(
        tokenizer=built.to_str(),
        template=file.get("tokenizer.chat_template", ""),
        bos="" if bos is None else tokens[bos],
        eos="" if stops[0] is None else tokens[stops[0]],
        adds_bos=bos is not None
        and file.get("tokenizer.ggml.add_bos_token", tokenizer.adds_bos(style)),
        stop_tokens=tuple(dict.fromkeys(stop for stop in stops if stop is not None)),
    )
