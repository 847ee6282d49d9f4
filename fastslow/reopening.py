"""From the directory of a run back to what it was made of, to look at it or to go on from it."""

from __future__ import annotations

import pathlib

from fastslow import checkpoint, config, run_directory, session


def settings(directory: pathlib.Path) -> config.Run:
    """Return the configuration of a run; raises RunDirectoryError for a directory that is none."""
    return config.from_mapping(config.Run, run_directory.read_config(directory)["config"])


def build(directory: pathlib.Path) -> session.Built:
    """Load the model and data of a run, and assemble its experiment.

    Raises what `session.build` raises, and RunDirectoryError for a directory that is no run, or
    whose model or data have changed.
    """
    built = session.build(settings(directory))
    same = {name: built.identity[name] for name in ("model_digest", "stream_digest")}
    run_directory.check(directory, same, resume=True)
    return built


def position(directory: pathlib.Path, wanted: int | None = None) -> int:
    """Return after how many events to look: `wanted`, or where the newest intact checkpoint is.

    Raises CheckpointError where there is no such checkpoint.
    """
    known = checkpoint.events(directory)
    if wanted is not None and wanted not in known:
        listed = ", ".join(map(str, known)) or "none"
        raise checkpoint.CheckpointError(
            f"{directory} has no checkpoint after event {wanted}; it keeps: {listed}"
        )
    found = checkpoint.latest(directory) if wanted is None else wanted
    if found is None:
        raise checkpoint.CheckpointError(
            f"{directory} has no checkpoint: no event of the run is completed"
        )
    return found
