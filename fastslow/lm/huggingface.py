"""Models from a directory in the format of Hugging Face transformers, read without that library.

Read are config.json, *.safetensors (one file or shards), tokenizer.json, and, where they are there,
generation_config.json, tokenizer_config.json and chat_template.jinja.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import tokenizers

from fastslow import cache, files
from fastslow.lm import chat, source, weights
from fastslow.lm import config as lm_config

_QKV_BIAS = {"LlamaForCausalLM": False, "Qwen2ForCausalLM": True, "Qwen3ForCausalLM": False}
_QK_NORM = {"LlamaForCausalLM": False, "Qwen2ForCausalLM": False, "Qwen3ForCausalLM": True}
ARCHITECTURES = tuple(_QKV_BIAS)

LAYOUT = weights.Layout(
    embedding="model.embed_tokens.weight",
    final_norm="model.norm.weight",
    head="lm_head.weight",
    blocks={
        "attn_norm/scale": "model.layers.{}.input_layernorm.weight",
        "q/kernel": "model.layers.{}.self_attn.q_proj.weight",
        "k/kernel": "model.layers.{}.self_attn.k_proj.weight",
        "v/kernel": "model.layers.{}.self_attn.v_proj.weight",
        "o/kernel": "model.layers.{}.self_attn.o_proj.weight",
        "q/bias": "model.layers.{}.self_attn.q_proj.bias",
        "k/bias": "model.layers.{}.self_attn.k_proj.bias",
        "v/bias": "model.layers.{}.self_attn.v_proj.bias",
        "q_norm/scale": "model.layers.{}.self_attn.q_norm.weight",
        "k_norm/scale": "model.layers.{}.self_attn.k_norm.weight",
        "ffn_norm/scale": "model.layers.{}.post_attention_layernorm.weight",
        "gate/kernel": "model.layers.{}.mlp.gate_proj.weight",
        "up/kernel": "model.layers.{}.mlp.up_proj.weight",
        "down/kernel": "model.layers.{}.mlp.down_proj.weight",
    },
)
_DERIVED = ".rotary_emb.inv_freq"  # old files store what follows from the configuration
_NEEDED = ("config.json", "tokenizer.json")
_OPTIONAL = ("generation_config.json", "tokenizer_config.json", "chat_template.jinja")
# Settings with another meaning than this decoder's unless they have the value given here.
_ONLY: Mapping[str, Any] = {
    "hidden_act": "silu",
    "mlp_bias": False,
    "attention_bias": False,
    "use_sliding_window": False,
    "partial_rotary_factor": 1.0,
}

_ROPE_SETTINGS = {
    "factor",
    "original_max_position_embeddings",
    "low_freq_factor",
    "high_freq_factor",
    "beta_fast",
    "beta_slow",
    "attention_factor",
}


def read(path: pathlib.Path, dtype: source.Dtype) -> source.Source:
    """Read a model directory; tensors may be bfloat16, float16 or float32.

    Raises source.LoadError for a missing or damaged file, an architecture other than
    `ARCHITECTURES`, a setting that this decoder does not have, or tensors that do not fit.
    """
    settings = _object(path / "config.json")
    try:
        config = decoder_config(settings)
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        what = f"missing setting {error}" if isinstance(error, KeyError) else error
        raise source.LoadError(f"{path / 'config.json'}: {what}") from error
    spec = _chat(path, settings)
    return source.Source(config, weights.assemble(config, LAYOUT, _tensors(path), dtype), spec)


def digest(path: pathlib.Path) -> str:
    """Return the hex SHA-256 over names and contents of the files that `read` reads.

    Raises source.LoadError for a file that is missing or unreadable.
    """
    texts = [path / name for name in _NEEDED]
    texts += [path / name for name in _OPTIONAL if _is_file(path / name)]
    try:
        lines = [f"{file.name} {cache.sha256(file)}\n" for file in (*texts, *_shards(path))]
    except OSError as error:
        raise source.LoadError(f"{path} is not a whole model directory: {error}") from error
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def decoder_config(settings: Mapping[str, Any]) -> lm_config.DecoderConfig:
    """Return the configuration that the contents of a config.json describe.

    Raises KeyError for a missing setting, ValueError for one that is not supported.
    """
    architecture = (settings.get("architectures") or [None])[0]
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"architecture {architecture!r} is not supported; supported: {', '.join(ARCHITECTURES)}"
        )
    for name, value in _ONLY.items():
        if settings.get(name, value) != value:
            raise ValueError(f"{name}={settings[name]!r} is not supported, only {value!r}")
    width, heads = settings["hidden_size"], settings["num_attention_heads"]
    return lm_config.DecoderConfig(
        vocab_size=settings["vocab_size"],
        width=width,
        layers=settings["num_hidden_layers"],
        heads=heads,
        kv_heads=settings.get("num_key_value_heads") or heads,
        head_dim=settings.get("head_dim") or width // heads,
        ffn_width=settings["intermediate_size"],
        rope=_rope(settings),
        norm_eps=settings["rms_norm_eps"],
        qkv_bias=_QKV_BIAS[architecture],
        qk_norm=_QK_NORM[architecture],
        tied=settings.get("tie_word_embeddings", False),
        max_context=settings["max_position_embeddings"],
    )


def architecture(config: lm_config.DecoderConfig) -> str:
    """Return the architecture that `decoder_config` reads as such a decoder.

    Raises ValueError for a combination of variants that none has.
    """
    for name in ARCHITECTURES:
        if (_QKV_BIAS[name], _QK_NORM[name]) == (config.qkv_bias, config.qk_norm):
            return name
    raise ValueError("no architecture has both biases on queries and keys, and norms over them")


def _rope(settings: Mapping[str, Any]) -> lm_config.Rope:
    """Read `rope_parameters` (transformers 5) or `rope_scaling` with `rope_theta` (before)."""
    given = dict(settings.get("rope_parameters") or settings.get("rope_scaling") or {})
    old_kind = given.pop("type", None)
    kind: Any = given.pop("rope_type", None) or old_kind or "default"
    theta = float(given.pop("rope_theta", settings.get("rope_theta", 10000.0)))
    if given.pop("partial_rotary_factor", 1.0) != 1.0 or not given.pop("truncate", True):
        raise ValueError("RoPE with partial_rotary_factor or without truncate is not supported")
    if kind == "default":
        return lm_config.Rope(theta)
    if kind == "longrope":
        return _longrope(theta, given)
    if kind not in ("linear", "llama3", "yarn") or set(given) - _ROPE_SETTINGS:
        raise ValueError(f"RoPE scaling {kind!r} with {sorted(given)} is not supported")
    given.setdefault("original_max_position_embeddings", settings["max_position_embeddings"])
    numbers = {name: float(value) for name, value in given.items() if value is not None}
    return lm_config.Rope(theta, kind, tuple(sorted(numbers.items())))


def _longrope(theta: float, given: Mapping[str, Any]) -> lm_config.Rope:
    """Read factors one by one; they must be the same for short and long contexts."""
    factors, scale = tuple(map(float, given["short_factor"])), given.get("attention_factor")
    if factors != tuple(map(float, given["long_factor"])) or scale is None:
        raise ValueError("longrope is supported with equal factors and an attention_factor only")
    parameters = (("attention_factor", float(scale)),) if scale != 1.0 else ()
    return lm_config.Rope(theta, "factors", parameters, factors)


def _shards(path: pathlib.Path) -> list[pathlib.Path]:
    """Return the weight files: the single file, or else (as in transformers) those of the index."""
    single, index = path / "model.safetensors", path / "model.safetensors.index.json"
    if _is_file(single) or not _is_file(index):
        return [single]
    shards = _object(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise source.LoadError(f"{index}: weight_map must give every tensor the name of a file")
    return [path / name for name in sorted(set(shards.values()))]


def _tensors(path: pathlib.Path) -> weights.Tensors:
    holders: dict[str, pathlib.Path] = {}
    for shard in _shards(path):
        with _open(shard) as file:
            holders |= {name: shard for name in file.keys() if not name.endswith(_DERIVED)}  # noqa: SIM118

    def read(name: str) -> np.ndarray:
        with _open(holders[name]) as file:
            return file.get_tensor(name)

    return weights.Tensors(str(path), frozenset(holders), read)


def _open(shard: pathlib.Path) -> Any:
    try:
        return safetensors.safe_open(shard, framework="numpy")
    except (OSError, safetensors.SafetensorError) as error:
        raise source.LoadError(f"{shard}: not a readable safetensors file: {error}") from error


def _chat(path: pathlib.Path, settings: Mapping[str, Any]) -> chat.ChatSpec:
    names = _object(path / "tokenizer_config.json", optional=True)
    text = _text(path / "tokenizer.json")
    try:
        tokenizer = tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # the tokenizers library raises no narrower class
        raise source.LoadError(f"{path / 'tokenizer.json'}: {error}") from error
    eos, bos = (_token_text(path, names, name) for name in ("eos_token", "bos_token"))
    stops = _stop_tokens(path, settings)
    stops += [i for i in [tokenizer.token_to_id(eos)] if i is not None]
    return chat.ChatSpec(
        tokenizer=text,
        template=_template(path, names),
        bos=bos,
        eos=eos,
        adds_bos=bool(names.get("add_bos_token", chat.starts_with(tokenizer, bos))),
        stop_tokens=tuple(dict.fromkeys(stops)),
    )


def _stop_tokens(path: pathlib.Path, settings: Mapping[str, Any]) -> list[int]:
    """Return the stop tokens that config.json (its `settings`) and generation_config.json name."""
    generation = _object(path / "generation_config.json", optional=True)
    found: list[int] = []
    for name, values in (("config.json", settings), ("generation_config.json", generation)):
        value = values.get("eos_token_id")
        ids = value if isinstance(value, list) else [value] if value is not None else []
        if not all(isinstance(i, int) for i in ids):
            raise source.LoadError(f"{path / name}: eos_token_id must be numbers, got {value!r}")
        found += ids
    return found


def _template(path: pathlib.Path, names: Mapping[str, Any]) -> str:
    """Return the chat template: of its own file, or the default one of tokenizer_config.json."""
    own = path / "chat_template.jinja"
    if _is_file(own):
        return _text(own)
    value = names.get("chat_template") or ""
    try:
        named = {"default": value} if isinstance(value, str) else _named_templates(value)
    except (KeyError, TypeError) as error:
        raise source.LoadError(
            f"{path / 'tokenizer_config.json'}: chat_template must be a text,"
            " or a list of objects with name and template"
        ) from error
    return named.get("default", "")


def _named_templates(entries: Any) -> dict[str, str]:
    """Return templates by name; KeyError or TypeError for what is no list of them."""
    named = {entry["name"]: entry["template"] for entry in entries}
    if not all(isinstance(template, str) for template in named.values()):
        raise TypeError("a template is not a text")
    return named


def _token_text(path: pathlib.Path, names: Mapping[str, Any], name: str) -> str:
    """Return a token of tokenizer_config.json (its `names`), "" if there is none."""
    value = names.get(name) or ""
    text = value.get("content") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise source.LoadError(
            f"{path / 'tokenizer_config.json'}: {name} must be a text,"
            f" or an object whose content is one, got {value!r}"
        )
    return text


def _is_file(path: pathlib.Path) -> bool:
    with files.reading(path, source.LoadError):
        return path.is_file()


def _text(path: pathlib.Path) -> str:
    try:
        with files.reading(path, source.LoadError):
            return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise source.LoadError(f"cannot read {path}: {error}") from error


def _object(path: pathlib.Path, *, optional: bool = False) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one where an `optional` file is missing."""
    if optional and not _is_file(path):
        return {}
    text = _text(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise source.LoadError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise source.LoadError(f"{path}: expected a JSON object, got {value!r:.60}")
    return value
