"""What a program's main sets up in its process before it computes; nothing does it at import."""

from __future__ import annotations

import ctypes
import sys
import warnings

import jax

from fastslow import cache

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_MEBIBYTE = 1 << 20


def prepare() -> None:
    """Enable the persistent compilation cache, and return freed arrays' memory to the system."""
    keep_programs()
    map_large_blocks()


def keep_programs() -> None:
    """Let jax keep compiled programs across processes, in the user's cache directory.

    If that cannot be created, warn and carry on: every process then compiles for itself.
    """
    directory = cache.directory() / "compiled"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        warnings.warn(f"compiled programs are not kept: {error}", stacklevel=2)
        return
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def map_large_blocks() -> None:
    """Let every block from 1 MiB on be a mapping of its own.

    glibc raises this threshold by itself to as much as 32 MiB when a large block is freed. Arrays
    below it then live and die on heaps that small long-lived objects pin: a run that makes an array
    of some megabytes per weight and layer, over and over, ends at more than twice the memory that
    it ever used at once. Platforms without the option are left as they are.
    """
    if sys.platform != "linux":
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, _MEBIBYTE)
