"""Which number type this machine multiplies fastest."""

from __future__ import annotations

import pathlib

import jax

from fastslow.lm import source

_CPU_INFO = pathlib.Path("/proc/cpuinfo")


def dtype(cpu_info: pathlib.Path = _CPU_INFO) -> source.Dtype:
    """Return "bfloat16" on accelerators and on CPUs with AMX, "float32" elsewhere.

    Other CPUs convert bfloat16 before they multiply, AVX512-BF16 included in practice: slower than
    float32 from the start.
    """
    if jax.default_backend() != "cpu":
        return "bfloat16"
    flags = cpu_info.read_text() if cpu_info.exists() else ""
    return "bfloat16" if "amx_bf16" in flags.split() else "float32"
