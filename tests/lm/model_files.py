"""Small model files for tests: the reference directories, and GGUF files made from them."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import gguf
import numpy as np
import safetensors

REFERENCE = pathlib.Path(__file__).parent / "reference"
_ARCHITECTURES = {
    "LlamaForCausalLM": gguf.MODEL_ARCH.LLAMA,
    "Qwen2ForCausalLM": gguf.MODEL_ARCH.QWEN2,
    "Qwen3ForCausalLM": gguf.MODEL_ARCH.QWEN3,
}
_PRE = {"LlamaForCausalLM": "llama-bpe", "Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen2"}
F32 = gguf.GGMLQuantizationType.F32


def copy(name: str, target: pathlib.Path, **settings: Any) -> pathlib.Path:
    """Copy a reference directory and change settings of its config.json (None removes one)."""
    shutil.copytree(REFERENCE / name, target)
    values = json.loads((target / "config.json").read_text()) | settings
    kept = {name: value for name, value in values.items() if value is not None}
    (target / "config.json").write_text(json.dumps(kept))
    return target


def tensors(directory: pathlib.Path) -> dict[str, np.ndarray]:
    """Read the tensors of a directory, shards and all."""
    found: dict[str, np.ndarray] = {}
    for path in directory.glob("*.safetensors"):
        with safetensors.safe_open(path, framework="numpy") as file:
            found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return found


def write_gguf(
    path: pathlib.Path,
    name: str,
    *,
    kind: gguf.GGMLQuantizationType = F32,
    extra: Mapping[str, np.ndarray] | None = None,
    change: Callable[[gguf.GGUFWriter], None] = lambda writer: None,
    architecture: str = "",
) -> pathlib.Path:
    """Write the reference model `name` as llama.cpp's converter would, matrices as `kind`.

    `extra` tensors are added (an empty one leaves its name out), `change` may write more metadata.
    """
    directory = REFERENCE / name
    settings = json.loads((directory / "config.json").read_text())
    family = settings["architectures"][0]
    arch = _ARCHITECTURES[family]
    writer = gguf.GGUFWriter(path, architecture or gguf.MODEL_ARCH_NAMES[arch])
    _write_sizes(writer, settings)
    _write_tokenizer(writer, directory, _PRE[family])
    change(writer)
    names = gguf.get_tensor_name_map(arch, settings["num_hidden_layers"])
    found: dict[str, np.ndarray] = {}
    for key, value in tensors(directory).items():
        theirs = names.get_name(key, try_suffixes=(".weight", ".bias"))
        assert theirs is not None
        found[theirs] = _permuted(key, value, settings)
    for key, value in (found | dict(extra or {})).items():
        _write_tensor(writer, key, np.asarray(value, np.float32), kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_sizes(writer: gguf.GGUFWriter, settings: Mapping[str, Any]) -> None:
    rope = settings.get("rope_parameters") or {"rope_theta": settings.get("rope_theta")}
    writer.add_context_length(settings["max_position_embeddings"])
    writer.add_embedding_length(settings["hidden_size"])
    writer.add_block_count(settings["num_hidden_layers"])
    writer.add_feed_forward_length(settings["intermediate_size"])
    writer.add_head_count(settings["num_attention_heads"])
    writer.add_head_count_kv(settings["num_key_value_heads"])
    if "head_dim" in settings:
        writer.add_key_length(settings["head_dim"])
        writer.add_value_length(settings["head_dim"])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_layer_norm_rms_eps(settings["rms_norm_eps"])


def _write_tokenizer(writer: gguf.GGUFWriter, directory: pathlib.Path, pre: str) -> None:
    saved = json.loads((directory / "tokenizer.json").read_text())
    ids = saved["model"]["vocab"]
    special = {token["content"]: token["id"] for token in saved["added_tokens"]}
    tokens = sorted(ids | special, key=(ids | special).__getitem__)
    template = directory / "chat_template.jinja"
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in saved["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(max(special.values()))
    if template.is_file():
        writer.add_chat_template(template.read_text())


def _permuted(name: str, array: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Interleave the halves of every head's rows, for the architecture that is stored so."""
    if settings["architectures"][0] != "LlamaForCausalLM":
        return array
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return array
    size = settings["hidden_size"] // settings["num_attention_heads"]
    order = np.arange(size).reshape(2, size // 2).T.ravel()
    return array.reshape(-1, size, array.shape[-1])[:, order].reshape(array.shape)


def _write_tensor(
    writer: gguf.GGUFWriter, name: str, array: np.ndarray, kind: gguf.GGMLQuantizationType
) -> None:
    if not array.size:
        return
    if array.ndim == 1 or kind == F32 or array.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        writer.add_tensor(name, array)
    else:
        writer.add_tensor(name, gguf.quantize(array, kind), raw_dtype=kind)
