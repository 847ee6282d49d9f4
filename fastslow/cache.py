"""The user's cache directory: where it is, what its files hash to, and one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import pathlib
import sys
from collections.abc import Iterator

from fastslow import files

ENVIRONMENT_VARIABLE = "FASTSLOW_CACHE_DIR"


def directory() -> pathlib.Path:
    """Return the cache directory: $FASTSLOW_CACHE_DIR, else the platform's place for caches.

    The platform's place is $XDG_CACHE_HOME/fastslow, ~/Library/Caches/fastslow (macOS) or
    ~/.cache/fastslow. It is not created here.
    """
    if own := os.environ.get(ENVIRONMENT_VARIABLE):
        return files.at(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(shared) / "fastslow"
    home = pathlib.Path.home()
    return (home / "Library/Caches" if sys.platform == "darwin" else home / ".cache") / "fastslow"


def sha256(path: pathlib.Path) -> str:
    """Return the hex digest of a file, hashing it once per process and version of the file."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _sha256(path: pathlib.Path, size: int, modified: int) -> str:
    return files.sha256(path)


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Hold the lock that goes with `path`, across processes; waits for its holder.

    The lock file `.NAME.lock` beside `path` stays: removing it would let two holders in. Raises
    files.WriteError where the directory cannot be written.
    """
    files.make_directory(path.parent)
    lock = path.with_name(f".{path.name}.lock")
    with files.naming(lock):
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with files.naming(lock):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # releases the lock
