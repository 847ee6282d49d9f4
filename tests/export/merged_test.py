"""Whole models: what is written is read back by our own loader as the same model."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import tokenizers

from fastslow import types
from fastslow.export import base, contracts, huggingface_directory, merged
from fastslow.lm import chat, loading
from tests.export import samples
from tests.lm import model_files, small

MESSAGES = (
    types.Message("system", "Be brief."),
    types.Message("user", "It's 2024, isn't it?"),
    types.Message("assistant", "yes"),
    types.Message("user", "12 + 345?"),
)
ROPE_FACTORS = {"rope_freqs.weight": np.asarray([1.0, 1.5, 4.0, 8.0])}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache directory."""
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def out(tmp_path):
    directory = tmp_path / "out"
    directory.mkdir()
    return directory


def from_gguf(tmp_path, name, **options):
    path = model_files.write_gguf(tmp_path / f"{name}.gguf", name, **options)
    return loading.load(str(path), dtype="float32")


def assert_same_model(found, model):
    """The same decoder and the same chat; where from, and with which weights, may differ."""
    assert found.config == model.config
    assert found.chat.encode(MESSAGES) == model.chat.encode(MESSAGES)
    assert found.chat.stop_tokens == model.chat.stop_tokens
    assert found.chat.end_of_turn == model.chat.end_of_turn


def assert_equal(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for ours, theirs in zip(*map(jax.tree.leaves, (left, right)), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def assert_computes_the_same(out, learned):
    found = loading.load(str(out), dtype="float32")
    assert_same_model(found, learned.model)
    tokens = samples.some_tokens(found)
    ours = samples.logits(learned.model, learned.variables, tokens)
    untouched = samples.logits(learned.model, {"params": learned.model.params}, tokens)
    assert np.abs(ours - untouched).max() > 0.1
    theirs = samples.logits(found, {"params": found.params}, tokens)
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", samples.FAMILIES)
def test_trained_directory_comes_back_as_a_directory(out, name):
    learned = samples.learned(samples.load(name))
    merged.merged(learned, out, "float32")
    assert_computes_the_same(out, learned)


@pytest.mark.parametrize("name", ["llama3", "qwen2", "qwen3"])
def test_trained_gguf_comes_back_as_a_directory(tmp_path, out, name):
    extra = ROPE_FACTORS if name == "llama3" else {}
    learned = samples.learned(from_gguf(tmp_path, name, extra=extra))
    merged.merged(learned, out, "float32")
    assert learned.model.config.rope.factors == ((1.0, 1.5, 4.0, 8.0) if extra else ())
    assert_computes_the_same(out, learned)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_base_comes_back_to_the_bit(out, dtype):
    model = loading.load("tiny-random", dtype=dtype)
    base.base(samples.learned(model), out, dtype)
    found = loading.load(str(out), dtype=dtype)
    assert_same_model(found, model)
    assert_equal(found.params, model.params)
    assert json.loads((out / "config.json").read_text())["torch_dtype"] == dtype


def test_float32_keeps_a_delta_that_bfloat16_loses(tmp_path):
    learned = samples.learned(loading.load("tiny-random", dtype="bfloat16"), size=3e-4)
    for dtype in ("bfloat16", "float32"):
        (tmp_path / dtype).mkdir()
        merged.merged(learned, tmp_path / dtype, dtype)
    kernels = {
        dtype: safetensors.numpy.load_file(tmp_path / dtype / "model.safetensors")[
            "model.layers.1.mlp.down_proj.weight"
        ]
        for dtype in ("bfloat16", "float32")
    }
    before = np.asarray(learned.model.params["blocks"]["down"]["kernel"][1], np.float32).T
    factors = learned.variables["lora"]["blocks"]["down"]
    delta = np.asarray(factors["a"][1] @ factors["b"][1]).T
    np.testing.assert_allclose(kernels["float32"] - before, delta, atol=1e-7)
    lost = kernels["bfloat16"].astype(np.float32) == before
    assert lost[delta != 0].mean() > 0.5


def test_norms_and_biases_are_never_rounded(out):
    model = samples.load("qwen2")
    exact = samples.noisy(model.params, 1e-4)
    huggingface_directory.write(
        out, model, jax.tree.map(lambda x: x.astype(jnp.bfloat16) if x.ndim > 2 else x, exact)
    )
    tensors = safetensors.numpy.load_file(out / "model.safetensors")
    name = "model.layers.0.input_layernorm.weight"
    np.testing.assert_array_equal(tensors[name], exact["blocks"]["attn_norm"]["scale"][0])


def with_chat(model, **changes):
    return dataclasses.replace(model, chat=chat.build(model.chat.spec._replace(**changes)))


def test_model_without_a_template_stays_flat(out):
    model = with_chat(samples.load("qwen2"), template="", stop_tokens=(2,))
    base.base(samples.learned(model), out, "float32")
    assert_same_model(loading.load(str(out)), model)
    assert json.loads((out / "generation_config.json").read_text())["eos_token_id"] == [2]


def test_end_that_only_the_template_names_stops_other_libraries_too(out):
    model = with_chat(samples.load("qwen3"), stop_tokens=(0,), eos="")
    base.base(samples.learned(model), out, "float32")
    (end,) = model.chat.tokenizer.encode("<|im_end|>").ids
    for name in ("config.json", "generation_config.json"):
        assert json.loads((out / name).read_text())["eos_token_id"] == [0, end]


def test_text_that_starts_with_a_token_says_so_to_both_libraries(out):
    model = with_chat(samples.load("llama3"), template="", adds_bos=True)
    base.base(samples.learned(model), out, "float32")
    assert_same_model(loading.load(str(out)), model)
    written = tokenizers.Tokenizer.from_file(str(out / "tokenizer.json"))
    start = written.token_to_id(model.chat.spec.bos)
    assert written.encode("12").ids == [start, *model.chat.tokenizer.encode("12").ids]


def test_template_that_offers_thinking_is_told_to_leave_it_off(tmp_path):
    told = {}
    for name in ("qwen3", "llama3"):
        (tmp_path / name).mkdir()
        told[name] = base.base(samples.learned(samples.load(name)), tmp_path / name, "float32")
    assert "enable_thinking=False" in told["qwen3"]
    assert "enable_thinking" not in told["llama3"]


def test_model_without_a_tokenizer_is_refused(out):
    model = small.language_model()
    with pytest.raises(contracts.ExportError, match="'small' has no tokenizer"):
        huggingface_directory.write(out, model, model.params)


def test_variants_that_no_architecture_has_are_refused(out):
    model = samples.load("qwen2")
    both = dataclasses.replace(model, config=dataclasses.replace(model.config, qk_norm=True))
    with pytest.raises(contracts.ExportError, match="no architecture has both"):
        huggingface_directory.write(out, both, model.params)
