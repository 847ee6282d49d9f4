"""What suits this machine's processor: the number type, and how many tokens at once."""

from __future__ import annotations

import pathlib

import jax

from fastslow.lm import source

_CPU_INFO = pathlib.Path("/proc/cpuinfo")
# Of SmolLM2-135M on an EPYC: 320 to 1280 at a time are about as fast as each other, all of 5120 at
# once take 1.2 times as long.
_CPU_TOKENS = 1024


def dtype(cpu_info: pathlib.Path = _CPU_INFO) -> source.Dtype:
    """Return "bfloat16" on accelerators and on CPUs with fast bfloat16 units, "float32" elsewhere.

    Fast are AMX, and AVX512-BF16 by AMD: 2.1 times as many products a second as in float32 (EPYC of
    family 25, jax 0.10.2, 4096 rows). Another CPU with AVX512-BF16 and no AMX took 1.4 times as
    long as in float32, so those of other vendors are not taken to be fast.
    """
    if jax.default_backend() != "cpu":
        return "bfloat16"
    words = set(cpu_info.read_text().split()) if cpu_info.exists() else set()
    fast = "amx_bf16" in words or {"AuthenticAMD", "avx512_bf16"} <= words
    return "bfloat16" if fast else "float32"


def rows_at_once(rows: int, width: int) -> int:
    """Return into how many rows at a time to cut `rows` of `width` tokens, a divisor of `rows`.

    On CPUs a layer's intermediate results had better stay in the cache; accelerators want all rows.
    """
    if jax.default_backend() != "cpu":
        return rows
    divisors = (size for size in range(rows, 1, -1) if rows % size == 0)
    return next((size for size in divisors if size * width <= _CPU_TOKENS), 1)
