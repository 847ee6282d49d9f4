import jax
import pytest

from fastslow.lm import loading, native


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [("fpu amx_bf16 avx", "bfloat16"), ("fpu avx512_bf16", "float32"), (None, "float32")],
)
def test_a_cpu_takes_bfloat16_only_where_it_multiplies_it(tmp_path, monkeypatch, flags, dtype):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    cpu_info = tmp_path / "cpuinfo"
    if flags is not None:
        cpu_info.write_text(f"processor : 0\nflags : {flags}\n")
    assert native.dtype(cpu_info) == dtype


def test_accelerators_take_bfloat16(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert native.dtype(tmp_path / "none") == "bfloat16"


def test_models_are_loaded_in_it_unless_told_otherwise():
    assert loading.load("tiny-random").digest.endswith(f"-{native.dtype()}")
