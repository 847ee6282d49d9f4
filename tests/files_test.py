import errno
import json
import os
import pathlib

import pytest

from fastslow import files


def _names(directory: pathlib.Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir())


def test_text_and_bytes_are_written_exactly_and_parents_made(tmp_path):
    files.write_text_atomic(tmp_path / "a" / "b.txt", "zwölf\r\nlines\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "zwölf\r\nlines\n".encode()
    files.write_bytes_atomic(tmp_path / "raw", b"\x00\xff")
    assert (tmp_path / "raw").read_bytes() == b"\x00\xff"
    assert _names(tmp_path) == ["a", "raw"]


def test_json_round_trips_and_rejects_nan_without_touching_the_old_file(tmp_path):
    path = tmp_path / "value.json"
    files.write_json_atomic(path, {"a": [1, None, "ü\ud800"]})
    assert "ü" in path.read_text("utf-8")
    assert json.loads(path.read_text("utf-8")) == {"a": [1, None, "ü\ud800"]}
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json_atomic(path, {"a": float("nan")})
    assert json.loads(path.read_text("utf-8")) == {"a": [1, None, "ü\ud800"]}


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_keeps_the_old_content_and_names_the_path(tmp_path, monkeypatch, call):
    path = tmp_path / "kept.txt"
    files.write_text_atomic(path, "old")

    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, call, full)
    with pytest.raises(files.WriteError, match=r"kept\.txt: No space left on device") as caught:
        files.write_text_atomic(path, "new")
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["kept.txt"]


def test_a_parent_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(files.WriteError, match=r"cannot write .*file: "):
        files.write_text_atomic(tmp_path / "file" / "x.txt", "text")


def test_the_content_is_synced_before_the_rename_and_the_directory_after_it(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            files.os, name, lambda *args, real=real, name=name: (calls.append(name), real(*args))[1]
        )
    files.write_text_atomic(tmp_path / "x", "text")
    assert calls == ["fsync", "replace", "fsync"]
