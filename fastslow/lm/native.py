"""Which number type this machine multiplies fastest."""

from __future__ import annotations

import pathlib

import jax

from fastslow.lm import source

_CPU_INFO = pathlib.Path("/proc/cpuinfo")


def dtype(cpu_info: pathlib.Path = _CPU_INFO) -> source.Dtype:
    """Return "bfloat16" on accelerators and on CPUs with fast bfloat16 units, "float32" elsewhere.

    Fast are AMX, and AVX512-BF16 by AMD, which multiplies twice as many bfloat16 numbers a cycle as
    float32 numbers; Intel's multiplies as many, and converting to them costs more than it saves.
    """
    if jax.default_backend() != "cpu":
        return "bfloat16"
    words = set(cpu_info.read_text().split()) if cpu_info.exists() else set()
    fast = "amx_bf16" in words or {"AuthenticAMD", "avx512_bf16"} <= words
    return "bfloat16" if fast else "float32"
