import jax
import pytest

from fastslow.lm import loading, native


@pytest.mark.parametrize(
    ("vendor", "flags", "dtype"),
    [
        ("GenuineIntel", "fpu amx_bf16 avx", "bfloat16"),
        ("GenuineIntel", "fpu avx512_bf16", "float32"),
        ("AuthenticAMD", "fpu avx512_bf16", "bfloat16"),
        ("AuthenticAMD", "fpu avx512f", "float32"),
    ],
)
def test_a_cpu_takes_bfloat16_only_where_it_multiplies_it_faster(
    tmp_path, monkeypatch, vendor, flags, dtype
):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: {flags}\n")
    assert native.dtype(cpu_info) == dtype


def test_a_cpu_that_tells_nothing_of_itself_takes_float32(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert native.dtype(tmp_path / "none") == "float32"


def test_accelerators_take_bfloat16(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert native.dtype(tmp_path / "none") == "bfloat16"


def test_models_are_loaded_in_it_unless_told_otherwise():
    assert loading.load("tiny-random").digest.endswith(f"-{native.dtype()}")


@pytest.mark.parametrize(
    ("rows", "width", "size"),
    [(32, 160, 4), (4, 224, 4), (10, 128, 5), (7, 160, 1), (2, 4096, 1), (1, 64, 1)],
)
def test_a_cpu_takes_as_many_rows_as_fit_its_cache_and_divide_them(monkeypatch, rows, width, size):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert native.rows_at_once(rows, width) == size


def test_accelerators_take_all_rows(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert native.rows_at_once(32, 160) == 32
