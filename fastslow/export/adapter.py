"""A low-rank adapter as PEFT reads it (https://huggingface.co/docs/peft, LoraConfig)."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import numpy as np
import safetensors.numpy

from fastslow import files, types
from fastslow.export import contracts
from fastslow.lm import huggingface

_HOW = """\
A PEFT adapter for the base model{where}:

```python
import peft, transformers
base = transformers.AutoModelForCausalLM.from_pretrained("BASE")
model = peft.PeftModel.from_pretrained(base, "{name}")
```
"""
_EXPORT_BASE = " (no Hugging Face directory: `--what=base` writes it as one)"


def adapter(learned: contracts.Learned, directory: pathlib.Path) -> str:
    """The LoRA adapter as a PEFT directory, for the base model of the run."""
    if "lora" not in learned.variables:
        raise contracts.ExportError(
            f"the slow channel of this run, {learned.settings.slow.name!r}, has no low-rank adapter"
            " that PEFT could load; export its weights with --what=merged"
        )
    blocks = learned.variables["lora"]["blocks"]
    path = files.at(learned.settings.model.name)
    base = str(path.resolve()) if path.is_dir() else learned.settings.model.name
    files.write_json_atomic(directory / "adapter_config.json", _config(blocks, base))
    content = safetensors.numpy.save(tensors(blocks), {"format": "pt"})
    files.write_bytes_atomic(directory / "adapter_model.safetensors", content)
    return _HOW.format(where="" if path.is_dir() else _EXPORT_BASE, name=directory.name)


def tensors(blocks: Mapping[str, Mapping[str, types.PyTree]]) -> dict[str, np.ndarray]:
    """Return PEFT's A (rank, in) and B (out, rank) of every layer, from (L, in, rank) and so on."""
    found = {}
    for module, factors in blocks.items():
        name = f"base_model.model.{_module(module)}"
        for theirs, ours in (("lora_A", "a"), ("lora_B", "b")):
            for layer, factor in enumerate(np.asarray(factors[ours])):
                key = f"{name.format(layer)}.{theirs}.weight"
                found[key] = np.ascontiguousarray(factor.T)
    return found


def _config(blocks: Mapping[str, Mapping[str, types.PyTree]], base: str) -> types.Json:
    """Describe factors whose scale alpha / rank is in b already: PEFT's own scale is 1."""
    ranks = {_module(name).rpartition(".")[2]: f["a"].shape[-1] for name, f in blocks.items()}
    rank = max(ranks.values())
    others = {name: its for name, its in ranks.items() if its != rank}
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": rank,
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": sorted(ranks),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }


def _module(name: str) -> str:
    """Return what Hugging Face calls a module, with {} for the layer."""
    return huggingface.LAYOUT.blocks[f"{name}/kernel"].removesuffix(".weight")
