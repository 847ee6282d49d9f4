"""Write what a run has learned in chosen formats: one new directory, whole or not at all."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

from fastslow import export, files, registry, run_directory
from fastslow.export import contracts
from fastslow.export import learned as learned_lib
from fastslow.lm import source


def write(
    run: pathlib.Path,
    target: pathlib.Path,
    formats: Sequence[str],
    *,
    position: int | None = None,
    dtype: str | None = None,
) -> str:
    """Write `formats` of a run's checkpoint to `target`/FORMAT/, and say how to load them.

    The text returned is that of `target`/README.md. Default are the last checkpoint and the dtype
    of the base model. Raises ExportError, WriteError, UnknownNameError, and what `learned.read`
    raises; nothing is then left behind.
    """
    if not [*formats]:
        raise contracts.ExportError(f"nothing to export: name one of {', '.join(export.FORMATS)}")
    for name in formats:
        export.FORMATS.get(name)
    if dtype is not None and dtype not in source.DTYPES:
        raise registry.unknown("dtype", dtype, source.DTYPES)
    _check_free(target)
    found = learned_lib.read(run, position)
    context: dict[str, Any] = {
        "learned": found.learned,
        "dtype": dtype or found.learned.model.params["embed"]["embedding"].dtype.name,
    }
    temporary = files.make_directory(target.parent) / f".{target.name}.{os.getpid()}.tmp"
    try:
        readme = _heading(run, found)
        for name in dict.fromkeys(formats):
            directory = files.make_directory(temporary / name)
            how_to_load = export.FORMATS.build(name, directory=directory, **context)
            readme += f"\n## {name}\n\n{how_to_load}"
        files.write_text_atomic(temporary / "README.md", readme)
        with files.naming(target):
            os.replace(temporary, target)
            files.sync_directory(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return readme


def _check_free(target: pathlib.Path) -> None:
    """Refuse a place that holds something: what was exported before is never mixed with new."""
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists():
        raise contracts.ExportError(f"{target} is not an empty directory: choose another --out")


def _heading(run: pathlib.Path, found: learned_lib.Found) -> str:
    state = f"after {found.position} of its {found.events} events"
    if not run_directory.is_done(run):
        state += ", unfinished"
    return f"# What {run.resolve().name} has learned\n\nExported from `{run}` {state}.\n"
