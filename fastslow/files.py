"""Files that are wholly there or not there: temporary file, fsync, rename, fsync of the folder.

Every failure to write names the path (`WriteError`), because "No space left on device" alone does
not say which disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import TypeAlias

from fastslow import errors, types

PathLike: TypeAlias = str | os.PathLike[str]


class WriteError(errors.UserError, OSError):
    """A file could not be written; the message names the path and the system's reason."""

    def __str__(self) -> str:
        """Say what and why, for a person: no number of an error."""
        return f"cannot write {self.filename}: {self.strerror}"


@contextlib.contextmanager
def naming(path: PathLike) -> Iterator[None]:
    """Turn any OSError raised inside into a WriteError about `path` (same errno)."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(error.errno, reason, os.fspath(path)) from error


@contextlib.contextmanager
def reading(path: PathLike, kind: type[errors.UserError]) -> Iterator[None]:
    """Turn any OSError raised inside into an error of this `kind` with path and reason."""
    try:
        yield
    except OSError as error:
        raise kind(f"cannot read {path}: {error.strerror or error}") from error


def at(path: PathLike) -> pathlib.Path:
    """Return a path that a person gave, with a leading `~` or `~name` as shells read it.

    As in shells, the name of nobody stays as it is.
    """
    return pathlib.Path(os.path.expanduser(path))


def exists(path: pathlib.Path, kind: type[errors.UserError]) -> bool:
    """Return whether there is a file or folder; an error of this `kind` where it cannot be told."""
    with reading(path, kind):
        return path.exists()


def sync_directory(path: PathLike) -> None:
    """Make the names in a directory durable (files created, renamed or removed in it)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: PathLike) -> str:
    """Return the hex digest of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_directory(path: PathLike) -> pathlib.Path:
    """Create a directory with its parents if it is missing, and return it; raises WriteError."""
    with naming(path):
        os.makedirs(path, exist_ok=True)
    return pathlib.Path(path)


def _write_synced(path: pathlib.Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_bytes_atomic(path: PathLike, data: bytes) -> None:
    """Write `data` to `path` so that a crash at any instant leaves the old or the new content.

    Parent directories are created. Raises WriteError; the old file is then untouched and no
    temporary file is left.
    """
    target = pathlib.Path(path)
    make_directory(target.parent)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with naming(target):
        try:
            _write_synced(temporary, data)
            os.replace(temporary, target)
            sync_directory(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_text_atomic(path: PathLike, text: str) -> None:
    """Write `text` as UTF-8 like `write_bytes_atomic`, newlines as they are."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_json_atomic(path: PathLike, value: types.Json) -> None:
    """Write indented strict JSON like `write_bytes_atomic`; ValueError for NaN or an infinity."""
    write_bytes_atomic(path, encode_json(value, indent=1) + b"\n")


def encode_json(value: types.Json, *, indent: int | None = None, allow_nan: bool = False) -> bytes:
    """Return JSON as UTF-8 that a person can read and that any text survives.

    Text that is no valid Unicode (a lone surrogate, which JSON can carry) is escaped.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=allow_nan)
    return text.encode("utf-8", "backslashreplace")  # "\ud800" is what JSON reads back
