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


del_me = np.ones(30 << 17)  # 30 MiB: freed, it raises the threshold
del del_me
before = resident()
pins = []
arrays = []
for _ in range(100):
    arrays.append(np.ones(3 << 17))  # 3 MiB
    pins.append(np.ones(1 << 10))  # 8 KiB
del arrays
if sys.argv[1] == "given back":
    computing.give_back_memory()
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
    assert left_over("given back") < 10


def test_a_cache_that_cannot_be_made_is_told_and_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / "file" / "cache"))
    before = jax.config.jax_compilation_cache_dir
    with pytest.warns(UserWarning, match="compiled programs are not kept: .*file"):
        computing.keep_programs()
    assert jax.config.jax_compilation_cache_dir == before


@pytest.fixture
def gpu_plug_in(tmp_path, monkeypatch):
    """The folder that a plug-in of jax's makes, and none of the variables that are set for GPUs."""
    (tmp_path / "jax_plugins").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("XLA_FLAGS", "XLA_PYTHON_CLIENT_PREALLOCATE"):
        monkeypatch.setenv(name, "")  # so that it is taken back
        monkeypatch.delenv(name)
    return tmp_path


FLAGS = "--xla_gpu_enable_triton_gemm=false --xla_gpu_exclude_nondeterministic_ops=true"


@pytest.mark.parametrize(
    ("mine", "then"),
    [
        (None, FLAGS),
        ("--xla_dump_to='a  b'", f"--xla_dump_to='a  b' {FLAGS}"),
        (FLAGS, FLAGS),
        (
            "--xla_gpu_enable_triton_gemm",
            "--xla_gpu_enable_triton_gemm --xla_gpu_exclude_nondeterministic_ops=true",
        ),
        ("a_file_of_flags", "a_file_of_flags"),
    ],
)
def test_gpus_are_set_up_but_for_what_the_user_has_set(mine, then, gpu_plug_in, monkeypatch):
    if mine is not None:
        monkeypatch.setenv("XLA_FLAGS", mine)
    computing.set_up_gpus()
    assert os.environ["XLA_FLAGS"] == then
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    computing.set_up_gpus()
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true"


def test_without_a_plug_in_nothing_is_set(monkeypatch):
    monkeypatch.setattr(computing.importlib.util, "find_spec", lambda name: None)
    before = dict(os.environ)
    computing.set_up_gpus()
    assert dict(os.environ) == before


def test_the_flags_are_ones_that_this_jax_knows(gpu_plug_in):
    program = (
        "import os; from fastslow import computing; computing.set_up_gpus(); "
        "print(os.environ['XLA_FLAGS'], computing.devices())"
    )
    environment = {**os.environ, "PYTHONPATH": str(gpu_plug_in)}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert ended.stdout.strip() == f"{FLAGS} {computing.devices()}", ended.stderr  # or XLA aborts


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
