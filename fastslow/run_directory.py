"""The directory of a run: who may write to it, what it was begun with, whether it is done."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import itertools
import json
import pathlib
import platform
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import IO, Any

from fastslow import config, errors, files, types

SCHEMA = 1
_LOOKS, _PAUSE = 10, 0.02  # how often, and seconds apart, a lock is asked for
_MADE_BY_A_RUN = ("records.jsonl", "checkpoints", "DONE")
_LOCK = "LOCK"
_PACKAGES = ("dspy", "flax", "gepa", "jax", "jaxlib", "numpy", "optax", "orbax-checkpoint")


class RunDirectoryError(errors.UserError, RuntimeError):
    """The directory cannot be used for this run; the message says why and what to do."""


class InUseError(RunDirectoryError):
    """Another process holds the directory."""


@contextlib.contextmanager
def locked(directory: pathlib.Path) -> Iterator[None]:
    """Hold the directory for one process at a time; the lock dies with the process."""
    lock = files.make_directory(directory) / _LOCK
    with contextlib.ExitStack() as held:
        with files.naming(lock):  # the opening alone: errors while it is held are about other files
            handle = held.enter_context(open(lock, "w"))
        _lock(handle, directory)
        yield


def _lock(handle: IO[str], directory: pathlib.Path) -> None:
    """Take the lock; raise InUseError if it is held for longer than it takes to look (`in_use`)."""
    for attempt in itertools.count():
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if attempt == _LOOKS:
                raise InUseError(f"{directory} is in use by another process") from None
        except OSError as error:  # a file system without locks
            reason = f"it cannot be locked: {error.strerror}"
            raise files.WriteError(error.errno, reason, str(directory / _LOCK)) from error
        time.sleep(_PAUSE)


def in_use(directory: pathlib.Path) -> bool:
    """Return whether some process holds the directory at this moment."""
    try:
        with open(directory / _LOCK) as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two askers do not collide
    except (FileNotFoundError, NotADirectoryError):
        return False
    except BlockingIOError:
        return True
    return False


def check(directory: pathlib.Path, wanted: Mapping[str, types.Json], resume: bool) -> None:
    """Raise RunDirectoryError unless the directory is fresh or may be resumed as `wanted`.

    `wanted` holds parts of config.json ("config", or what identifies weights and data) that must be
    what the directory was begun with.
    """
    path = directory / "config.json"
    if not path.exists():
        if left := [name for name in _MADE_BY_A_RUN if (directory / name).exists()]:
            raise RunDirectoryError(
                f"{directory} has {', '.join(left)} of a run but no config.json, so that it cannot "
                "be told which: restore it from a copy, or take another --workdir"
            )
        return
    if not resume:
        state = "a finished run" if is_done(directory) else "an unfinished run"
        raise RunDirectoryError(
            f"{directory} already holds {state}: pass --resume to go on with it, "
            "or another --workdir to start afresh"
        )
    found = read_config(directory)
    begun = {key: found.get(key) for key in wanted}
    if "config" in wanted:
        begun["config"] = _completed(found["config"])
    changed = config.differences(begun, wanted)
    if changed:
        listed = "\n  ".join(changed)
        raise RunDirectoryError(
            f"{directory} belongs to another configuration; take another --workdir for this one, "
            f"or its own flags (its value -> this one):\n  {listed}"
        )


def _completed(written: types.Json) -> types.Json:
    """Return a configuration with defaults for what was no option yet when it was written."""
    try:
        return config.to_json(config.from_mapping(config.Run, written))
    except errors.UserError:  # of another time: as it is, so that it is told what differs
        return written


def write_config(
    directory: pathlib.Path, wanted: Mapping[str, types.Json], events: int | None = None
) -> None:
    """Write config.json with the versions of everything and the devices at hand.

    `events` is the length of the stream, for whoever shows how far the run is.
    """
    content = {"schema": SCHEMA, **wanted, "events": events, **_made_with()}
    files.write_json_atomic(directory / "config.json", content)


def note_resumption(directory: pathlib.Path, event: int) -> None:
    """Add to config.json, and warn, that events from `event` on are made otherwise than before.

    With the same code, packages and devices a resumed run equals an uninterrupted one; here it may
    not.
    """
    content = read_config(directory)
    now, earlier = _made_with(), content.get("resumed", [])
    before = [content, *earlier][-1]
    changed = config.differences({key: before.get(key) for key in now}, now)
    if changed:
        content["resumed"] = [*earlier, {"event": event, **now}]
        files.write_json_atomic(directory / "config.json", content)
        warnings.warn(
            f"{directory} goes on with other code, packages or devices from event {event} on, so "
            f"that its result may not be that of one go: {'; '.join(changed)}",
            stacklevel=2,
        )


def read_config(directory: pathlib.Path) -> dict[str, Any]:
    """Return the contents of config.json; raises RunDirectoryError if it cannot be read."""
    path = directory / "config.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not isinstance(found["config"], dict):
            raise TypeError("'config' is not an object")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDirectoryError(f"{path} is not the configuration of a run: {error}") from error
    return found


def _made_with() -> dict[str, types.Json]:
    from fastslow import computing  # with it jax, which whoever only reads a directory can spare

    return {"versions": versions(), "git": git_commit(), "devices": computing.devices()}


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a result."""
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in _PACKAGES
    }


def source_digest() -> str:
    """Return a hash of the source code of this package."""
    root = pathlib.Path(__file__).parent
    hashed = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        hashed.update(f"{path.relative_to(root)}\n".encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


def git_commit() -> str | None:
    """Return the commit of the source tree, with "+" if it has local changes; None outside git."""
    source = pathlib.Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(source), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", pathlib.Path(__file__).name)  # not somebody else's tree
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def is_claimed(directory: pathlib.Path) -> bool:
    """Return whether any process ever locked this directory for a run."""
    return (directory / _LOCK).exists()


def is_begun(directory: pathlib.Path) -> bool:
    """Return whether a run was begun in this directory."""
    return (directory / "config.json").exists()


def is_done(directory: pathlib.Path) -> bool:
    """Return whether the run in this directory has finished."""
    return (directory / "DONE").exists()


def mark_done(directory: pathlib.Path) -> None:
    """Write DONE, the last file of a run."""
    files.write_text_atomic(directory / "DONE", "")
