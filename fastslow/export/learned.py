"""From a run directory to what the run has learned."""

from __future__ import annotations

import functools
import pathlib
from typing import NamedTuple

from fastslow import checkpoint, config, run_directory, session
from fastslow.export import contracts
from fastslow.report import progress


class Found(NamedTuple):
    """What a run has learned, and by when."""

    learned: contracts.Learned
    position: int  # events
    events: int  # of the whole stream


def read(directory: pathlib.Path, position: int | None = None) -> Found:
    """Load the model and data of a run, and its checkpoint after `position` events or the last one.

    Raises what `session.build` raises; RunDirectoryError for a directory that is no run, or whose
    model or data have changed; CheckpointError where there is no such checkpoint.
    """
    recorded = run_directory.read_config(directory)
    settings = config.from_mapping(config.Run, recorded["config"])
    position = _position(directory, position)
    experiment, parts, identity = session.build(settings, progress.Silent())
    same = {name: identity[name] for name in ("model_digest", "stream_digest")}
    run_directory.check(directory, same, resume=True)
    state = session.restore_at(experiment, directory, position).model
    learned = contracts.Learned(
        settings=settings,
        model=parts.model,
        prompts={name: parts.fast.best(state.fast, name) for name in experiment.stream.tasks},
        variables=parts.slow.variables(state.slow),
        dense=functools.partial(parts.slow.dense, state.slow),
    )
    return Found(learned, position, len(list(experiment.stream.events())))


def _position(directory: pathlib.Path, wanted: int | None) -> int:
    """Return the checkpoint to read, before anything is loaded."""
    known = checkpoint.events(directory)
    if wanted is not None and wanted not in known:
        listed = ", ".join(map(str, known)) or "none"
        raise checkpoint.CheckpointError(
            f"{directory} has no checkpoint after event {wanted}; it keeps: {listed}"
        )
    found = checkpoint.latest(directory) if wanted is None else wanted
    if found is None:
        raise checkpoint.CheckpointError(
            f"{directory} has no checkpoint to export: no event of the run is completed"
        )
    return found
