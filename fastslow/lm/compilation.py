"""Compiled programs kept across processes, in the user's cache directory."""

from __future__ import annotations

import pathlib

import jax

from fastslow import cache


def enable_cache(directory: pathlib.Path | None = None) -> pathlib.Path:
    """Let jax keep compiled programs in `directory` (default: in the user's cache); return it.

    For a program's main, before the first compilation; nothing calls it at import.
    """
    directory = directory or cache.directory() / "compiled"
    directory.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    return directory
