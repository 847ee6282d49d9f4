from __future__ import annotations

import json
import shutil

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import tokenizers

from fastslow.lm import chat, huggingface, source
from tests.lm import model_files


def test_kernels_are_transposed_and_stacked_and_keep_their_numbers():
    """The tree against the tensors of the file, one by one."""
    params = huggingface.read(model_files.REFERENCE / "qwen2", "float32").params
    tensors = model_files.tensors(model_files.REFERENCE / "qwen2")
    for layer in range(2):
        start = f"model.layers.{layer}."
        blocks = params["blocks"]
        down = tensors[start + "mlp.down_proj.weight"]
        np.testing.assert_array_equal(blocks["down"]["kernel"][layer], down.T)
        bias = tensors[start + "self_attn.k_proj.bias"]
        np.testing.assert_array_equal(blocks["k"]["bias"][layer], bias)
        norm = tensors[start + "post_attention_layernorm.weight"]
        np.testing.assert_array_equal(blocks["ffn_norm"]["scale"][layer], norm)
    np.testing.assert_array_equal(params["head"]["kernel"], tensors["lm_head.weight"].T)


@pytest.mark.parametrize("name", ["llama_linear", "qwen2", "qwen3"])
def test_dtype_is_that_of_matrices_only(name):
    params = huggingface.read(model_files.REFERENCE / name, "bfloat16").params
    for module, leaves in params["blocks"].items():
        for leaf, array in leaves.items():
            expected = ml_dtypes.bfloat16 if leaf == "kernel" else np.float32
            assert array.dtype == expected, (module, leaf)
    assert params["embed"]["embedding"].dtype == ml_dtypes.bfloat16
    assert params["final_norm"]["scale"].dtype == np.float32


def test_both_forms_of_rope_settings_say_the_same(tmp_path):
    new = {
        "rope_type": "llama3",
        "rope_theta": 5e5,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }
    old = {name: value for name, value in new.items() if name != "rope_theta"}
    older = {"type" if name == "rope_type" else name: value for name, value in old.items()}
    settings = json.loads((model_files.REFERENCE / "llama3" / "config.json").read_text())
    del settings["rope_parameters"]
    forms = [
        {"rope_parameters": new},
        {"rope_theta": 5e5, "rope_scaling": old},
        {"rope_theta": 5e5, "rope_scaling": older},
    ]
    ropes = {huggingface.decoder_config(settings | form).rope for form in forms}
    assert len(ropes) == 1
    rope = ropes.pop()
    assert (rope.theta, rope.scaling, dict(rope.parameters)["factor"]) == (5e5, "llama3", 8.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"architectures": ["GemmaForCausalLM"]}, "'GemmaForCausalLM'.*LlamaForCausalLM, Qwen2"),
        ({"architectures": None}, "architecture None"),
        ({"hidden_act": "gelu"}, "hidden_act='gelu' is not supported, only 'silu'"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"hidden_size": None}, "missing setting 'hidden_size'"),
        ({"num_key_value_heads": 3}, "do not share"),
        ({"num_attention_heads": 0}, "division"),
        ({"eos_token_id": ["</s>"]}, r"config\.json: eos_token_id must be numbers"),
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2}}, "RoPE scaling 'dynamic'"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 2, "mscale": 1}}, "mscale"),
        ({"rope_parameters": {"rope_type": "linear"}}, "needs factor"),
        ({"num_hidden_layers": 3}, r"missing tensors: model\.layers\.2"),
        ({"num_hidden_layers": 1}, r"no use for: model\.layers\.1"),
        ({"intermediate_size": 64}, r"gate_proj\.weight has shape \(48, 32\).*\(64, 32\)"),
        ({"tie_word_embeddings": True}, None),
        ({"eos_token_id": None}, None),
    ],
)
def test_settings_are_taken_seriously(tmp_path, settings, words):
    directory = model_files.copy("qwen2", tmp_path / "model", **settings)
    if words is None:
        huggingface.read(directory, "float32")
        return
    with pytest.raises(source.LoadError, match=words) as caught:
        huggingface.read(directory, "float32")
    assert str(directory) in str(caught.value)


def test_tied_model_needs_no_head_and_ignores_one(tmp_path):
    directory = model_files.copy("qwen2", tmp_path / "model", tie_word_embeddings=True)
    assert "head" not in huggingface.read(directory, "float32").params


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("config.json", lambda data: data[:-10]),
        ("tokenizer.json", lambda data: data[:-10]),
        ("model.safetensors", lambda data: data[:-10]),
        ("config.json", None),
        ("tokenizer.json", None),
        ("model.safetensors", None),
        ("tokenizer_config.json", lambda data: b"\xff\xfe"),
    ],
)
def test_damaged_or_missing_file_is_named(tmp_path, name, spoil):
    directory = model_files.copy("qwen3", tmp_path / "model")
    path = directory / name
    if spoil is None:
        path.unlink()
    else:
        path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(source.LoadError, match=name):
        huggingface.read(directory, "float32")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "[]"),
        ("config.json", "null"),
        ("config.json", "[" * 5000),
        ("config.json", "9" * 5000),
        ("generation_config.json", "[]"),
        ("generation_config.json", '{"eos_token_id": "</s>"}'),
        ("tokenizer_config.json", "null"),
        ("tokenizer_config.json", '{"chat_template": [{"template": "x"}]}'),
        ("tokenizer_config.json", '{"chat_template": [{"name": "default", "template": 1}]}'),
        ("tokenizer_config.json", '{"chat_template": ["x"]}'),
        ("tokenizer_config.json", '{"chat_template": 1}'),
        ("tokenizer_config.json", '{"eos_token": ["</s>"]}'),
        ("tokenizer_config.json", '{"bos_token": {"text": "<s>"}}'),
        ("model.safetensors.index.json", "{}"),
        ("model.safetensors.index.json", '{"weight_map": ["model.safetensors"]}'),
        ("model.safetensors.index.json", '{"weight_map": {"lm_head.weight": 1}}'),
    ],
)
def test_json_of_another_form_is_named(tmp_path, name, text):
    directory = model_files.copy("qwen2", tmp_path / "model")
    (directory / "chat_template.jinja").unlink(missing_ok=True)
    (directory / name).write_text(text)
    with pytest.raises(source.LoadError, match=name.replace(".", r"\.")):
        huggingface.read(directory, "float32")


def test_file_that_cannot_be_looked_up_is_named(tmp_path, monkeypatch):
    directory = model_files.copy("qwen3", tmp_path / "model")

    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.is_file", denied)
    for function in (huggingface.digest, lambda path: huggingface.read(path, "float32")):
        with pytest.raises(source.LoadError, match=r"cannot read .*model/.*: Permission denied"):
            function(directory)


def test_shard_that_is_missing_is_named(tmp_path):
    directory = model_files.copy("qwen2", tmp_path / "model")
    (directory / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(source.LoadError, match="model-00002-of-00003"):
        huggingface.read(directory, "float32")


def test_one_file_and_shards_give_the_same(tmp_path):
    directory = model_files.copy("qwen2", tmp_path / "model")
    tensors = model_files.tensors(directory)
    for path in directory.glob("model*"):
        path.unlink()
    safetensors.numpy.save_file(tensors, directory / "model.safetensors")
    ours = huggingface.read(directory, "float32").params["blocks"]["up"]["kernel"]
    theirs = huggingface.read(model_files.REFERENCE / "qwen2", "float32").params
    np.testing.assert_array_equal(ours, theirs["blocks"]["up"]["kernel"])


def test_single_file_is_taken_before_a_leftover_index(tmp_path):
    directory = model_files.copy("qwen2", tmp_path / "model")
    sharded = huggingface.digest(directory)
    tensors = model_files.tensors(directory)
    tensors["model.norm.weight"] = np.ones_like(tensors["model.norm.weight"])
    safetensors.numpy.save_file(tensors, directory / "model.safetensors")
    params = huggingface.read(directory, "float32").params
    np.testing.assert_array_equal(params["final_norm"]["scale"], 1)
    assert huggingface.digest(directory) != sharded


def test_digest_follows_every_file(tmp_path):
    original = huggingface.digest(model_files.REFERENCE / "qwen3")
    digests = {original}
    names = ["config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors"]
    for name in names:
        directory = shutil.copytree(model_files.REFERENCE / "qwen3", tmp_path / name)
        assert huggingface.digest(directory) == original
        path = directory / name
        path.write_bytes(path.read_bytes() + b" ")
        digests.add(huggingface.digest(directory))
    assert len(digests) == 1 + len(names)


def test_template_of_a_json_file_of_several_templates(tmp_path):
    directory = model_files.copy("llama_linear", tmp_path / "model")
    path = directory / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    default = settings["chat_template"]
    settings["chat_template"] = [
        {"name": "tool_use", "template": "other"},
        {"name": "default", "template": default},
    ]
    path.write_text(json.dumps(settings))
    assert huggingface.read(directory, "float32").chat.template == default
    settings["bos_token"] = {"content": settings["bos_token"], "lstrip": False}
    del settings["chat_template"]
    path.write_text(json.dumps(settings))
    spec = huggingface.read(directory, "float32").chat
    assert (spec.template, spec.bos) == ("", "<|begin_of_text|>")


def test_stop_tokens_are_those_of_all_files(tmp_path):
    directory = model_files.copy("qwen3", tmp_path / "model", eos_token_id=[5, 6])
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": 7}))
    spec = huggingface.read(directory, "float32").chat
    assert spec.stop_tokens == (5, 6, 7, 2)
    assert chat.build(spec).stop_tokens == {2, 5, 6, 7}


@pytest.mark.parametrize(("flag", "adds"), [(None, True), (False, False)])
def test_a_tokenizer_that_starts_texts_with_bos_is_believed_unless_a_flag_says_no(
    tmp_path, flag, adds
):
    directory = model_files.copy("llama3", tmp_path / "model")
    path = directory / "tokenizer.json"
    built = tokenizers.Tokenizer.from_str(path.read_text())
    settings_path = directory / "tokenizer_config.json"
    settings = json.loads(settings_path.read_text())
    settings.pop("add_bos_token", None)
    bos = settings["bos_token"]
    assert not huggingface.read(directory, "float32").chat.adds_bos
    built.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, built.token_to_id(bos))]
    )
    path.write_text(built.to_str())
    settings |= {} if flag is None else {"add_bos_token": flag}
    settings_path.write_text(json.dumps(settings))
    assert huggingface.read(directory, "float32").chat.adds_bos == adds
