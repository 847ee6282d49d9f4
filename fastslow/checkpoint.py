"""Checkpoints of a run: arrays through Orbax, text as JSON, a manifest with the hash of every file.

    RUN/checkpoints/<event>/manifest.json    schema, dtype and shape of every array, sha256 of files
                            state.json       text
                            arrays/          Orbax, uncompressed (absent when there is no array)

A checkpoint is written to a hidden directory, made durable, and renamed: a crash at any instant
leaves the earlier ones untouched. Damage that happens later (a failing disk, a torn copy) is found
through the manifest.
"""

from __future__ import annotations

import json
import math
import os
import pathlib
import re
import shutil
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from fastslow import errors, files, types

SCHEMA = 4  # 3: leaves of the slow channel by their own paths; 4: validation rewards by example
KEEP = 2  # one more than it takes to resume, should the newest be damaged
ALL = 0  # keep every checkpoint
_MANIFEST, _TEXT, _ARRAYS = "manifest.json", "state.json", "arrays"


class CheckpointError(errors.UserError):
    """A checkpoint is damaged, missing, or does not fit the program that reads it."""


def path_of(run_dir: files.PathLike, event: int) -> pathlib.Path:
    """Return the directory of the checkpoint taken after `event`."""
    return pathlib.Path(run_dir) / "checkpoints" / str(event)


def save(
    run_dir: files.PathLike, event: int, saved: types.Saved, *, keep: int = KEEP
) -> pathlib.Path:
    """Write the checkpoint taken after `event`, drop all but the newest `keep` (or ALL).

    `saved.arrays` is any pytree of arrays or Python numbers; every dtype is kept exactly.
    `saved.text` is a JSON value in which NaN and infinities are kept too. Returns the path. Raises
    WriteError when it cannot be written (the earlier checkpoints stay), FileExistsError when
    `event` already has a valid one.
    """
    final = path_of(run_dir, event)
    temporary = final.with_name(f".{event}.tmp")
    _make_room(final)
    with files.naming(final):
        try:
            _write(temporary, event, saved)
            os.rename(temporary, final)
            files.sync_directory(final.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    _prune(final.parent, keep)
    return final


def events(run_dir: files.PathLike) -> list[int]:
    """Return after which events there is a checkpoint, intact or not, oldest first."""
    return _events(path_of(run_dir, 0).parent)


def latest(run_dir: files.PathLike, at_most: float = math.inf) -> int | None:
    """Return the event of the newest intact checkpoint, or None; warn about damaged newer ones.

    Checkpoints after more than `at_most` events are passed over. Raises CheckpointError when a
    checkpoint has a newer schema than this program reads.
    """
    for event in reversed([event for event in events(run_dir) if event <= at_most]):
        problem = _problem(path_of(run_dir, event))
        if problem is None:
            return event
        warnings.warn(f"ignoring a damaged checkpoint: {problem}", stacklevel=2)
    return None


def discard_after(run_dir: files.PathLike, event: int, *, keep: int = KEEP) -> None:
    """Remove the checkpoints taken after later events than `event`, and all but `keep` (or ALL).

    Those to keep are counted here too because `save` may be killed before it drops one.
    """
    parent = path_of(run_dir, 0).parent
    _remove(parent, [later for later in _events(parent) if later > event])
    _prune(parent, keep)


def restore(run_dir: files.PathLike, event: int, target: types.PyTree) -> types.Saved:
    """Read the checkpoint taken after `event` into the structure, kinds and shardings of `target`.

    `target` holds the same leaves as the saved arrays (values are ignored). Raises CheckpointError
    when the checkpoint is damaged or missing, or a leaf is missing, unknown, or of other shape or
    dtype.
    """
    directory = path_of(run_dir, event)
    problem = _problem(directory)
    if problem is not None:
        raise CheckpointError(problem)
    manifest = json.loads((directory / _MANIFEST).read_text("utf-8"))
    leaves = _leaves(target)
    _check_fits(directory, manifest["arrays"], _specifications(leaves))
    read = _read_arrays(directory / _ARRAYS, _stored(leaves))
    restored = [_like(leaf, read[name]) if name in read else leaf for name, leaf in leaves.items()]
    arrays = jax.tree.unflatten(jax.tree.structure(target), restored)
    return types.Saved(arrays, json.loads((directory / _TEXT).read_text("utf-8")))


def _write(directory: pathlib.Path, event: int, saved: types.Saved) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    leaves = _leaves(saved.arrays)
    _write_arrays(directory / _ARRAYS, _stored(leaves))
    text = files.encode_json(saved.text, indent=1, allow_nan=True)
    files.write_bytes_atomic(directory / _TEXT, text)
    manifest = {
        "schema": SCHEMA,
        "event": event,
        "arrays": _specifications(leaves),
        "files": {name: _sync_and_hash(directory / name) for name in _file_names(directory)},
    }
    files.write_json_atomic(directory / _MANIFEST, manifest)
    for folder, _, _ in os.walk(directory):
        files.sync_directory(folder)


def _make_room(final: pathlib.Path) -> None:
    """Remove a damaged checkpoint in the way of a new one; a valid one is never overwritten."""
    if not final.exists():
        return
    if _problem(final) is None:
        raise FileExistsError(f"{final} is already a valid checkpoint: resume from it")
    shutil.rmtree(final)


def _prune(parent: pathlib.Path, keep: int) -> None:
    _remove(parent, _events(parent)[:-keep])


def _remove(parent: pathlib.Path, chosen: Iterable[int]) -> None:
    for event in chosen:
        # renamed first, so that a crash during removal leaves nothing that looks like a checkpoint
        os.rename(parent / str(event), parent / f".{event}.removed")
    for leftover in parent.glob(".*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _events(parent: pathlib.Path) -> list[int]:
    if not parent.is_dir():
        return []
    return sorted(int(p.name) for p in parent.iterdir() if p.name.isdecimal())


def _problem(directory: pathlib.Path) -> str | None:
    """Return what is wrong with a checkpoint, naming the file, or None when every hash agrees."""
    try:
        manifest = json.loads((directory / _MANIFEST).read_text("utf-8"))
        schema, hashes = manifest["schema"], manifest["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{directory / _MANIFEST} is missing or unreadable ({error})"
    if schema != SCHEMA:
        raise CheckpointError(
            f"{directory} has schema {schema}; this program reads {SCHEMA}: start anew with "
            "another --workdir, or go on with the version of fastslow that began the run"
        )
    for name, expected in hashes.items():
        try:
            actual = files.sha256(directory / name)
        except OSError as error:
            return f"{directory / name} cannot be read ({error.strerror})"
        if actual != expected:
            return f"{directory / name} differs from its recorded hash"
    return None


def _sync_and_hash(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return files.sha256(path)


def _file_names(directory: pathlib.Path) -> list[str]:
    return sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file())


def _leaves(tree: types.PyTree) -> dict[str, Any]:
    """Return leaves by path, e.g. "['slow'].trainable['q']['a']", in flattening order."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}


def _array(leaf: Any) -> Any:
    """Return a leaf as an array; Orbax does not restore every kind of bare number."""
    return leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)


def _like(leaf: Any, array: Any) -> Any:
    """Return `array` as the kind of value that `leaf` is: array, NumPy scalar or Python number."""
    if isinstance(leaf, jax.Array | np.ndarray):
        return array
    return array[()] if isinstance(leaf, np.generic) else array.item()


def _specifications(leaves: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return [dtype, shape] of every leaf."""
    arrays = {name: _array(leaf) for name, leaf in leaves.items()}
    return {name: [str(array.dtype), list(array.shape)] for name, array in arrays.items()}


def _stored(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Return the leaves that hold a number; Orbax refuses empty arrays, a shape restores them."""
    return {name: _array(leaf) for name, leaf in leaves.items() if math.prod(np.shape(leaf))}


def _check_fits(
    directory: pathlib.Path, written: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    differing = [
        f"{name}: {written.get(name, 'absent')} in the checkpoint, {wanted.get(name, 'absent')} now"
        for name in sorted({*written, *wanted})
        if written.get(name) != wanted.get(name)
    ]
    if differing:
        raise CheckpointError(f"{directory} does not fit this run:\n  " + "\n  ".join(differing))


def _write_arrays(directory: pathlib.Path, arrays: Mapping[str, Any]) -> None:
    if not arrays:  # Orbax refuses an empty tree
        return
    handler = ocp.PyTreeCheckpointHandler(use_compression=False)
    try:
        with ocp.Checkpointer(handler) as checkpointer:
            checkpointer.save(directory.absolute(), args=ocp.args.PyTreeSave(dict(arrays)))
    except ValueError as error:  # how TensorStore reports a full disk
        code = re.search(r"os_error_code='(\d+)'", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1]))) from error


def _read_arrays(directory: pathlib.Path, target: Mapping[str, Any]) -> dict[str, Any]:
    if not target:
        return {}
    wanted = dict(target)
    how = ocp.checkpoint_utils.construct_restore_args(wanted)
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        restored: dict[str, Any] = checkpointer.restore(
            directory.absolute(), args=ocp.args.PyTreeRestore(wanted, restore_args=how)
        )
    return restored
