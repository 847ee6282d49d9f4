"""What a process computes on, and what a program's main sets up before; nothing at import."""

from __future__ import annotations

import collections
import ctypes
import importlib.util
import os
import sys
import warnings

import jax

from fastslow import cache

_GPU_FLAGS = {
    # Our programs are many and small. With generated products one backward program took 44 s to
    # compile and 27 ms to run on an H200, without 5 s and 37 ms (see benchmarks/engine.py).
    "--xla_gpu_enable_triton_gemm": "false",
    # The same seed on the same machine gives the same result.
    "--xla_gpu_exclude_nondeterministic_ops": "true",
}


def prepare() -> None:
    """Set up GPUs and the persistent compilation cache."""
    set_up_gpus()
    keep_programs()


def set_up_gpus() -> None:
    """Let programs compile fast and repeat themselves on GPUs, and runs share one's memory.

    Only where a plug-in of jax's is installed, as without one there is no GPU. Environment
    variables are set, those that the user has not, so this must come before jax first looks for
    devices. A value of XLA_FLAGS that names a file of flags stays as it is.
    """
    if importlib.util.find_spec("jax_plugins") is None:
        return
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    given = os.environ.get("XLA_FLAGS", "")
    if given.strip() and not given.strip().startswith("-"):
        return
    added = [f"{name}={value}" for name, value in _GPU_FLAGS.items() if name not in given]
    os.environ["XLA_FLAGS"] = " ".join([given, *added] if given else added)


def devices() -> str:
    """Return the devices that jax has, as "cpu" or "2 gpu (NVIDIA H100 80GB HBM3)"."""
    found = collections.Counter((each.platform, each.device_kind) for each in jax.devices())
    return ", ".join(
        (f"{count} " if count > 1 else "") + platform + (f" ({kind})" if kind != platform else "")
        for (platform, kind), count in found.items()
    )


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


def give_back_memory() -> None:
    """Return the memory of freed arrays to the system; takes some hundredths of a second.

    glibc keeps freed blocks of up to 32 MiB for later ones, small long-lived objects come to lie
    between them, and a run would end at twice the memory that it ever used at once. Letting every
    such block be a mapping of its own is no remedy: products on CPUs take scratch space of that
    size in every call, and fresh pages nearly doubled the time of a decoding step. Platforms
    without the function are left as they are.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
