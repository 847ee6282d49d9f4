from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from fastslow import cache, registry, types
from fastslow.lm import gguf_file, loading, source, weights_cache
from tests.lm import model_files


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache directory."""
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def refuse(*args):
    raise AssertionError("the file was read again")


def test_registered_names_are_described():
    described = dict(loading.MODELS.describe())
    assert set(described) == {"smollm2-135m-instruct", "tiny-random"}
    assert all(described.values())


def test_tiny_goes_the_whole_way():
    model = loading.load("tiny-random", dtype="bfloat16")
    assert model.name == "tiny-random"
    assert model.params["blocks"]["q"]["kernel"].dtype == jnp.bfloat16
    assert isinstance(model.params["embed"]["embedding"], jax.Array)
    assert model.digest.endswith("-bfloat16")
    assert model.digest != loading.load("tiny-random", dtype="float32").digest
    assert model.chat.encode([types.Message("user", "a")]).question


def test_directory_and_file_are_found_by_path(tmp_path):
    directory = loading.load(str(model_files.REFERENCE / "qwen2"), dtype="float32")
    path = model_files.write_gguf(tmp_path / "small.gguf", "qwen2")
    file = loading.load(str(path), dtype="float32")
    assert (directory.name, file.name) == ("qwen2", "small")
    jax.tree.map(np.testing.assert_array_equal, directory.params, file.params)
    question = [types.Message("user", "What's 12?")]
    assert directory.chat.encode(question) == file.chat.encode(question)


def test_name_that_is_neither_known_nor_a_path_is_an_error():
    with pytest.raises(registry.UnknownNameError, match=r"did you mean 'tiny-random'.*No file"):
        loading.load("tiny-randm")
    with pytest.raises(registry.UnknownNameError, match="unknown dtype 'bf16'"):
        loading.load("tiny-random", dtype="bf16")


def test_directory_without_a_model_is_a_load_error(tmp_path):
    with pytest.raises(source.LoadError, match=r"not a whole model directory.*config\.json"):
        loading.load(str(tmp_path))


def test_template_that_is_not_valid_names_the_model(tmp_path):
    directory = model_files.copy("qwen2", tmp_path / "broken")
    (directory / "chat_template.jinja").write_text("{% for %}")
    with pytest.raises(source.LoadError, match="broken: the chat template is not valid"):
        loading.load(str(directory))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("name", ["llama3", "qwen2"])
def test_dequantised_weights_come_back_from_the_cache_the_same(tmp_path, monkeypatch, name, dtype):
    extra = {"rope_freqs.weight": np.ones(4)} if name == "llama3" else {}
    path = model_files.write_gguf(tmp_path / "small.gguf", name, extra=extra)
    first = loading.load(str(path), dtype=dtype)
    monkeypatch.setattr(gguf_file, "read", refuse)
    second = loading.load(str(path), dtype=dtype)
    assert first.config == second.config
    assert first.digest == second.digest
    assert jax.tree.structure(first.params) == jax.tree.structure(second.params)
    for ours, theirs in zip(*map(jax.tree.leaves, (first.params, second.params)), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    question = [types.Message("user", "What's 12?")]
    assert first.chat.encode(question) == second.chat.encode(question)


def test_changed_file_is_another_model(tmp_path):
    path = model_files.write_gguf(tmp_path / "small.gguf", "qwen2")
    first = loading.load(str(path))
    model_files.write_gguf(path, "qwen2", extra={"output_norm.weight": np.ones(32)})
    second = loading.load(str(path))
    assert first.digest != second.digest
    assert np.asarray(second.params["final_norm"]["scale"]).sum() == 32


def middle_bit(data: bytes) -> bytes:
    middle = len(data) - 1000
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def unlabelled(**metadata: str) -> bytes:
    """A sound file without what the cache writes beside the arrays, or with only a part of it."""
    return safetensors.numpy.save({"a": np.zeros(3)}, metadata or None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-7],
        middle_bit,
        lambda data: b"",
        lambda data: unlabelled(),
        lambda data: unlabelled(checksum=weights_cache._checksum({"a": np.zeros(3)})),
    ],
)
def test_damaged_cache_is_made_anew(tmp_path, home, spoil):
    path = model_files.write_gguf(tmp_path / "small.gguf", "qwen2")
    first = loading.load(str(path))
    (cached,) = (home / "weights").glob("*.safetensors")
    whole = cached.read_bytes()
    cached.write_bytes(spoil(whole))
    second = loading.load(str(path))
    jax.tree.map(np.testing.assert_array_equal, first.params, second.params)
    assert weights_cache._load(cached) is not None


def test_what_a_killed_process_was_writing_is_removed(tmp_path, home):
    path = model_files.write_gguf(tmp_path / "small.gguf", "qwen2")
    (home / "weights").mkdir(parents=True)
    (home / "weights" / ".another-bfloat16-v1.safetensors.4711.tmp").write_bytes(b"half")
    loading.load(str(path))
    (cached,) = (home / "weights").iterdir()
    assert cached.suffix == ".safetensors"


def test_what_other_code_read_is_neither_served_nor_kept(tmp_path, home, monkeypatch):
    path = model_files.write_gguf(tmp_path / "small.gguf", "qwen2")
    first = loading.load(str(path), dtype="float32")
    (old,) = (home / "weights").iterdir()
    monkeypatch.setattr(weights_cache, "_reader", lambda: "another")
    ones = {"output_norm.weight": np.ones(32)}
    other = gguf_file.read(
        model_files.write_gguf(tmp_path / "ones.gguf", "qwen2", extra=ones), "float32"
    )
    monkeypatch.setattr(gguf_file, "read", lambda *args: other)
    second = loading.load(str(path), dtype="float32")
    assert first.digest == second.digest
    assert np.asarray(second.params["final_norm"]["scale"]).sum() == 32
    (new,) = (home / "weights").iterdir()
    assert new != old


def test_the_name_of_a_cached_file_follows_sources_and_libraries(monkeypatch):
    names = {weights_cache._reader.__wrapped__()}
    monkeypatch.setattr(weights_cache.importlib.metadata, "version", lambda package: "0")
    names.add(weights_cache._reader.__wrapped__())
    monkeypatch.setattr(weights_cache, "_MODULES", ())
    names.add(weights_cache._reader.__wrapped__())
    assert len(names) == 3


def test_paths_that_cannot_be_read_are_load_errors(tmp_path, monkeypatch):
    with pytest.raises(source.LoadError, match=r"cannot read .*File name too long"):
        loading.load("x" * 5000)
    with pytest.raises(source.LoadError, match=r"cannot read .*File name too long"):
        loading.option_names("x" * 5000)
    with pytest.raises(source.LoadError, match="/dev/null"):
        loading.load("/dev/null")
    path = model_files.write_gguf(tmp_path / "small.gguf", "qwen2")

    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache, "sha256", denied)
    with pytest.raises(source.LoadError, match=r"cannot read .*small\.gguf: Permission denied"):
        loading.load(str(path))


def test_cached_file_that_cannot_be_looked_up_is_no_obstacle(tmp_path, home, monkeypatch):
    path = model_files.write_gguf(tmp_path / "small.gguf", "qwen2")
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / ("x" * 300)))
    assert loading.load(str(path)).name == "small"


def test_cache_that_cannot_be_written_is_told_and_no_obstacle(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(
        weights_cache.logging, "warning", lambda text, *rest: told.append(text % rest)
    )
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / "file" / "cache"))
    path = model_files.write_gguf(tmp_path / "small.gguf", "qwen2")
    assert loading.load(str(path)).name == "small"
    assert len(told) == 1
    assert "not cached" in told[0]
    assert str(tmp_path / "file" / "cache") in told[0]
