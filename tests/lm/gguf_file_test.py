from __future__ import annotations

import jax
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind

from fastslow.lm import chat, gguf_file, huggingface, source
from tests.lm import model_files

FAMILIES = ["llama_linear", "qwen2", "qwen3"]
NOTHING = np.zeros(0)


def assert_same_params(ours, theirs, atol=0.0):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for path, leaf in jax.tree_util.tree_leaves_with_path(ours):
        expected = dict(jax.tree_util.tree_leaves_with_path(theirs))[path]
        np.testing.assert_allclose(leaf, expected, rtol=0, atol=atol, err_msg=str(path))


@pytest.mark.parametrize("name", FAMILIES)
def test_gguf_and_hugging_face_files_of_a_model_give_the_same(tmp_path, name):
    path = model_files.write_gguf(tmp_path / "model.gguf", name)
    ours = gguf_file.read(path, "float32")
    theirs = huggingface.read(model_files.REFERENCE / name, "float32")
    assert_same_params(ours.params, theirs.params)
    for field in ("vocab_size", "heads", "kv_heads", "head_dim", "qkv_bias", "qk_norm", "tied"):
        assert getattr(ours.config, field) == getattr(theirs.config, field), field
    assert ours.config.norm_eps == pytest.approx(theirs.config.norm_eps)
    text = "The capital's 12 + 345!\n\n  Été déjà <|im_end|> <|eot_id|>"
    assert (
        chat.build(ours.chat).tokenizer.encode(text, add_special_tokens=False).ids
        == chat.build(theirs.chat).tokenizer.encode(text, add_special_tokens=False).ids
    )


@pytest.mark.parametrize(
    ("kind", "error"),
    [(Kind.F16, 2e-3), (Kind.BF16, 1e-2), (Kind.Q8_0, 5e-3), (Kind.Q4_0, 0.1), (Kind.Q4_1, 0.06)],
)
def test_quantised_matrices_are_close_to_the_originals(tmp_path, kind, error):
    path = model_files.write_gguf(tmp_path / "model.gguf", "qwen2", kind=kind)
    original = huggingface.read(model_files.REFERENCE / "qwen2", "float32").params
    params = gguf_file.read(path, "float32").params
    assert_same_params(params, original, atol=error)
    assert np.abs(params["blocks"]["q"]["kernel"] - original["blocks"]["q"]["kernel"]).max() > 0


def test_rope_factors_are_read(tmp_path):
    factors = np.asarray([1.0, 2.0, 4.0, 8.0])
    path = model_files.write_gguf(
        tmp_path / "model.gguf", "llama_linear", extra={"rope_freqs.weight": factors}
    )
    rope = gguf_file.read(path, "float32").config.rope
    assert (rope.scaling, rope.factors) == ("factors", (1.0, 2.0, 4.0, 8.0))


def test_rope_scaling_is_read(tmp_path):
    def yarn(writer):
        writer.add_string("qwen2.rope.scaling.type", "yarn")
        writer.add_float32("qwen2.rope.scaling.factor", 4.0)
        writer.add_uint32("qwen2.rope.scaling.original_context_length", 64)

    path = model_files.write_gguf(tmp_path / "model.gguf", "qwen2", change=yarn)
    ours = gguf_file.read(path, "float32").config.rope
    assert ours.scaling == "yarn"
    assert dict(ours.parameters) == {"factor": 4.0, "original_max_position_embeddings": 64.0}


def scaled(kind, **settings):
    def change(writer):
        writer.add_string("qwen2.rope.scaling.type", kind)
        for name, value in settings.items():
            writer.add_float32(f"qwen2.rope.scaling.{name}", value)

    return change


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"architecture": "gemma3"}, r"'gemma3' is not supported.*llama, qwen2, qwen3"),
        ({"extra": {"blk.1.ffn_up.weight": NOTHING}}, r"missing tensors: blk\.1\.ffn_up\.weight"),
        ({"extra": {"blk.0.ffn_up.weight": np.zeros((3, 5))}}, r"blk\.0\.ffn_up\.weight has shape"),
        ({"extra": {"blk.0.attn_sinks": np.zeros(4)}}, r"no use for: blk\.0\.attn_sinks"),
        ({"change": scaled("longrope")}, "'longrope' is not supported"),
        ({"change": scaled("linear")}, "needs factor"),
        ({"change": scaled("yarn", factor=2, attn_factor=2)}, "attn_factor.*not supported"),
        (
            {"change": lambda w: w.add_uint32("qwen2.rope.dimension_count", 4)},
            "rope.dimension_count other than 8",
        ),
    ],
)
def test_what_is_not_supported_is_named_with_the_file(tmp_path, options, words):
    path = model_files.write_gguf(tmp_path / "model.gguf", "qwen2", **options)
    with pytest.raises(source.LoadError, match=words) as caught:
        gguf_file.read(path, "float32")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("tokenizer.ggml.pre", "pre-tokenizer 'other' is not supported.*smollm"),
        ("tokenizer.ggml.model", "tokenizer 'other'"),
    ],
)
def test_other_tokenizers_are_refused(tmp_path, key, words):
    def change(writer):
        writer.kv_data[0][key].value = "other"

    path = model_files.write_gguf(tmp_path / "model.gguf", "qwen2", change=change)
    with pytest.raises(source.LoadError, match=words):
        gguf_file.read(path, "float32")


def test_merge_of_unknown_tokens_is_a_load_error(tmp_path):
    def change(writer):
        writer.kv_data[0]["tokenizer.ggml.merges"].value[0] = "un known"

    path = model_files.write_gguf(tmp_path / "model.gguf", "qwen2", change=change)
    with pytest.raises(source.LoadError, match=r"model\.gguf: unusable tokenizer"):
        gguf_file.read(path, "float32")


def test_missing_metadata_is_named(tmp_path):
    def change(writer):
        del writer.kv_data[0]["qwen2.block_count"]

    path = model_files.write_gguf(tmp_path / "model.gguf", "qwen2", change=change)
    with pytest.raises(source.LoadError, match=r"missing metadata 'qwen2\.block_count'"):
        gguf_file.read(path, "float32")


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.1, 0.5, 0.99])
def test_truncated_file_is_a_load_error(tmp_path, share):
    path = model_files.write_gguf(tmp_path / "model.gguf", "qwen2")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(source.LoadError, match=r"model\.gguf"):
        gguf_file.read(path, "float32")


def test_file_that_is_no_gguf_is_a_load_error(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"not a model" * 100)
    with pytest.raises(source.LoadError, match="not a readable GGUF file"):
        gguf_file.read(path, "float32")


@pytest.mark.parametrize(
    ("name", "given", "adds"),
    [
        ("llama3", None, True),
        ("llama3", False, False),
        ("qwen2", None, False),
        ("qwen2", True, True),
    ],
)
def test_texts_start_with_bos_as_the_file_says_or_else_the_tokenizer(tmp_path, name, given, adds):
    def change(writer):
        if given is not None:
            writer.add_add_bos_token(given)

    path = model_files.write_gguf(tmp_path / "model.gguf", name, change=change)
    assert gguf_file.read(path, "float32").chat.adds_bos == adds


def test_a_rope_factor_without_a_type_is_linear(tmp_path):
    path = model_files.write_gguf(
        tmp_path / "model.gguf",
        "qwen2",
        change=lambda writer: writer.add_float32("qwen2.rope.scaling.factor", 4.0),
    )
    rope = gguf_file.read(path, "float32").config.rope
    assert (rope.scaling, dict(rope.parameters)) == ("linear", {"factor": 4.0})


def test_halves_of_biases_are_split_as_those_of_weights():
    rows = np.arange(8.0)  # a head of four: x0 y0 x1 y1
    halves = gguf_file._half_split(rows, 4)
    assert halves.tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    columns = np.stack([rows, -rows], axis=1)
    assert gguf_file._half_split(columns, 4)[:, 1].tolist() == (-halves).tolist()
