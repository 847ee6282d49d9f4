"""The cache of dequantised models: one safetensors file each, read in a fraction of a second.

Configuration and chat are in the file's metadata. A damaged file is as good as a missing one. The
file's name says which code made it: what an earlier version of that code read is not served.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import pathlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import flax.traverse_util
import numpy as np
import safetensors
import safetensors.numpy
from absl import logging

from fastslow import cache, files
from fastslow.lm import chat, gguf_file, source, tokenizer, weights
from fastslow.lm import config as lm_config

# What decides, beside this module, what is read from a file.
_MODULES = (chat, lm_config, gguf_file, source, tokenizer, weights)
_PACKAGES = ("gguf", "tokenizers")


def get_or_read(
    digest: str, dtype: source.Dtype, read: Callable[[], source.Source]
) -> source.Source:
    """Return the model of `digest` and `dtype` from the cache, else `read` it and cache it.

    If the cache cannot be written, warn and carry on without it.
    """
    path = cache.directory() / "weights" / f"{digest}-{dtype}-{_reader()}.safetensors"
    if (found := _load(path)) is not None:
        return found
    value = read()
    try:
        _write(path, _dump(value), outdated=f"{digest}-{dtype}-*.safetensors")
    except files.WriteError as error:
        logging.warning("the dequantised weights are not cached: %s", error)
    return value


@functools.cache
def _reader() -> str:
    """Return a short hash of the code that reads models: its sources and its libraries."""
    sources = [__file__, *(str(module.__file__) for module in _MODULES)]
    parts = [files.sha256(path) for path in sources]
    parts += [importlib.metadata.version(package) for package in _PACKAGES]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]


def _write(path: pathlib.Path, data: bytes, *, outdated: str) -> None:
    """Write `data`, one process at a time, and remove what nobody will read.

    That is what killed processes left half written, and what other versions of the reader made of
    the same model (the pattern `outdated`).
    """
    with cache.locked(path.parent):
        for leftover in (*path.parent.glob(".*.tmp"), *path.parent.glob(outdated)):
            with contextlib.suppress(OSError):
                leftover.unlink()
        files.write_bytes_atomic(path, data)


def _dump(value: source.Source) -> bytes:
    arrays = flax.traverse_util.flatten_dict(value.params, sep="/")
    metadata = {
        "config": json.dumps(dataclasses.asdict(value.config)),
        "chat": json.dumps(value.chat._asdict()),
        "checksum": _checksum(arrays),
    }
    return safetensors.numpy.save(arrays, metadata)


def _load(path: pathlib.Path) -> source.Source | None:
    """Return what `_dump` wrote; None where there is no file or not a whole one."""
    try:
        return _parse(path) if path.is_file() else None
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        logging.warning("%s is unreadable or damaged (%r); made anew", path, error)
        return None


def _parse(path: pathlib.Path) -> source.Source:
    """Invert `_dump`; a damaged file raises any of the errors that `_load` expects."""
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if metadata["checksum"] != _checksum(arrays):
        raise ValueError("its arrays differ from their checksum")
    params = flax.traverse_util.unflatten_dict(arrays, sep="/")
    return source.Source(
        _config(json.loads(metadata["config"])), params, _chat(json.loads(metadata["chat"]))
    )


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the CRC-32 of all arrays by name: against accidents, and fast."""
    value = 0
    for name in sorted(arrays):
        value = zlib.crc32(np.ascontiguousarray(arrays[name]).view(np.uint8).data, value)
    return f"{value:08x}"


def _config(values: dict[str, Any]) -> lm_config.DecoderConfig:
    rope = values["rope"]
    rope["parameters"] = tuple((name, number) for name, number in rope["parameters"])
    rope["factors"] = tuple(rope["factors"])
    return lm_config.DecoderConfig(**(values | {"rope": lm_config.Rope(**rope)}))


def _chat(values: dict[str, Any]) -> chat.ChatSpec:
    return chat.ChatSpec(**(values | {"stop_tokens": tuple(values["stop_tokens"])}))
