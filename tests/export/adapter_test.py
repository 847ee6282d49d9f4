"""The PEFT directory, read back with PEFT's formula W + (lora_alpha / r) B A."""

import json

import numpy as np
import pytest
import safetensors.numpy

from fastslow import types
from fastslow.export import adapter, base, contracts
from fastslow.lm import loading
from tests.export import samples
from tests.lm import model_files


def export(learned, directory):
    text = adapter.adapter(learned, directory)
    config = json.loads((directory / "adapter_config.json").read_text())
    return text, config, safetensors.numpy.load_file(directory / "adapter_model.safetensors")


def test_layers_are_unstacked_and_matrices_transposed():
    a = np.arange(12, dtype=np.float32).reshape(2, 3, 2)  # 2 layers, 3 inputs, rank 2
    b = np.arange(16, dtype=np.float32).reshape(2, 2, 4)
    found = adapter.tensors({"q": {"a": a, "b": b}})
    name = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"
    assert set(found) == {name.format(layer, letter) for layer in (0, 1) for letter in "AB"}
    np.testing.assert_array_equal(found[name.format(1, "A")], [[6, 8, 10], [7, 9, 11]])
    np.testing.assert_array_equal(found[name.format(0, "B")], [[0, 4], [1, 5], [2, 6], [3, 7]])


@pytest.mark.parametrize("name", samples.FAMILIES)
def test_adapter_on_the_exported_base_computes_what_the_run_computed(tmp_path, name):
    learned = samples.learned(samples.load(name))
    for kind in ("adapter", "base"):
        (tmp_path / kind).mkdir()
    _, config, factors = export(learned, tmp_path / "adapter")
    base.base(learned, tmp_path / "base", "float32")
    path = tmp_path / "base" / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    scale = config["lora_alpha"] / config["r"]
    for key in [key for key in factors if key.endswith("lora_A.weight")]:
        module = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
        assert module.rpartition(".")[2] in config["target_modules"]
        delta = factors[key.replace("lora_A", "lora_B")] @ factors[key]
        tensors[f"{module}.weight"] = tensors[f"{module}.weight"] + scale * delta
    safetensors.numpy.save_file(tensors, path)
    loaded = loading.load(str(tmp_path / "base"), dtype="float32")
    tokens = samples.some_tokens(loaded)
    ours = samples.logits(learned.model, learned.variables, tokens)
    untouched = samples.logits(learned.model, {"params": learned.model.params}, tokens)
    assert np.abs(ours - untouched).max() > 0.1
    theirs = samples.logits(loaded, {"params": loaded.params}, tokens)
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-4)


def test_configuration_says_what_peft_needs(tmp_path):
    name = str(model_files.REFERENCE / "qwen2")
    learned = samples.learned(samples.load("qwen2"), name=name)
    text, config, _ = export(learned, tmp_path)
    assert (config["peft_type"], config["task_type"], config["r"]) == ("LORA", "CAUSAL_LM", 3)
    assert config["target_modules"] == [
        f"{m}_proj" for m in ("down", "gate", "k", "o", "q", "up", "v")
    ]
    assert config["base_model_name_or_path"] == name
    assert config["rank_pattern"] == {}
    assert "--what=base" not in text
    assert f'"{tmp_path.name}"' in text


def test_other_model_files_are_told_to_be_exported_as_a_base(tmp_path):
    text, config, _ = export(samples.learned(samples.load("qwen2"), name="tiny-random"), tmp_path)
    assert config["base_model_name_or_path"] == "tiny-random"
    assert "--what=base" in text


def test_ranks_may_differ(tmp_path):
    learned = samples.learned(samples.load("qwen2"))
    blocks = dict(learned.variables["lora"]["blocks"])
    blocks["q"] = {"a": blocks["q"]["a"][..., :1], "b": blocks["q"]["b"][:, :1]}
    variables = {**learned.variables, "lora": {"blocks": blocks}}
    _, config, factors = export(learned._replace(variables=variables), tmp_path)
    assert config["r"] == config["lora_alpha"] == 3
    assert config["rank_pattern"] == config["alpha_pattern"] == {"q_proj": 1}
    key = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    assert factors[key].shape == (1, 32)


def test_run_without_a_low_rank_adapter_is_told_what_to_export(tmp_path):
    model = samples.load("qwen2")
    learned = contracts.Learned(
        samples.settings(slow="full"), model, {"a": types.Prompt()}, {"params": model.params}, dict
    )
    with pytest.raises(contracts.ExportError, match=r"'full', has no low-rank.*--what=merged"):
        adapter.adapter(learned, tmp_path)
    assert not list(tmp_path.iterdir())
