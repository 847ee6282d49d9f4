"""Tests of fastslow.computing, in processes of their own: the option cannot be taken back."""

import subprocess
import sys

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
    assert left_over("mapped") < 10
    assert left_over("as it is") > 100  # what is mended: without this, the option has no use


def test_a_cache_that_cannot_be_made_is_told_and_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / "file" / "cache"))
    before = jax.config.jax_compilation_cache_dir
    with pytest.warns(UserWarning, match="compiled programs are not kept: .*file"):
        computing.keep_programs()
    assert jax.config.jax_compilation_cache_dir == before
