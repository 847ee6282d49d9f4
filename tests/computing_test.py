"""Tests of fastslow.computing; what cannot be taken back, in processes of their own."""

import os
import subprocess
import sys
import types

import jax
import pytest

from fastslow import computing

CHURN = """
import pathlib
import sys

import numpy as np

from fastslow import computing


def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096


if sys.argv[1] == "mapped":
    computing.map_large_blocks()
del_me = np.ones(30 << 17)  # 30 MiB: freed, it raises the threshold
del del_me
before = resident()
pins = []
arrays = []
for _ in range(100):
    arrays.append(np.ones(3 << 17))  # 3 MiB
    pins.append(np.ones(1 << 10))  # 8 KiB
del arrays
print((resident() - before) / 2**20)
"""


def left_over(mode: str) -> float:
    """Return the MiB still resident after 300 MiB of arrays between small ones were freed."""
    command = [sys.executable, "-c", CHURN, mode]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(ended.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="an option of glibc")
def test_freed_arrays_between_small_ones_go_back_to_the_system():
    if left_over("as it is") < 100:
        pytest.skip("this system's allocator gives back by itself")  # nothing to mend
    assert left_over("mapped") < 10


def test_a_cache_that_cannot_be_made_is_told_and_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / "file" / "cache"))
    before = jax.config.jax_compilation_cache_dir
    with pytest.warns(UserWarning, match="compiled programs are not kept: .*file"):
        computing.keep_programs()
    assert jax.config.jax_compilation_cache_dir == before


def test_gpus_are_set_up_but_for_what_the_user_has_set(monkeypatch):
    mine = "--xla_gpu_enable_triton_gemm=true --xla_dump_to=here"
    monkeypatch.setenv("XLA_FLAGS", mine)
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    computing.set_up_gpus()
    assert os.environ["XLA_FLAGS"] == f"{mine} --xla_gpu_exclude_nondeterministic_ops=true"
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    computing.set_up_gpus()  # once more adds nothing
    assert os.environ["XLA_FLAGS"] == f"{mine} --xla_gpu_exclude_nondeterministic_ops=true"
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true"


def test_the_flags_are_ones_that_this_jax_knows():
    program = "from fastslow import computing; computing.set_up_gpus(); print(computing.devices())"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout.strip() == computing.devices(), ended.stderr  # XLA aborts on unknown ones


@pytest.mark.parametrize(
    ("devices", "described"),
    [
        ([("cpu", "cpu")], "cpu"),
        ([("gpu", "NVIDIA H200")], "gpu (NVIDIA H200)"),
        ([("gpu", "A"), ("gpu", "A"), ("gpu", "B")], "2 gpu (A), gpu (B)"),
    ],
)
def test_devices_are_described_by_number_and_kind(devices, described, monkeypatch):
    found = [types.SimpleNamespace(platform=p, device_kind=kind) for p, kind in devices]
    monkeypatch.setattr(jax, "devices", lambda: found)
    assert computing.devices() == described
