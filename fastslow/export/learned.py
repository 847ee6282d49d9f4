"""From a run directory to what the run has learned."""

from __future__ import annotations

import functools
import pathlib
from typing import NamedTuple

from fastslow import reopening, session
from fastslow.export import contracts


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
    settings = reopening.settings(directory)
    position = reopening.position(directory, position)  # before anything is loaded
    experiment, parts, _ = reopening.build(directory)
    state = session.restore_at(experiment, directory, position).model
    learned = contracts.Learned(
        settings=settings,
        model=parts.model,
        prompts={name: parts.fast.best(state.fast, name) for name in experiment.stream.tasks},
        variables=parts.slow.variables(state.slow),
        dense=functools.partial(parts.slow.dense, state.slow),
    )
    return Found(learned, position, len(list(experiment.stream.events())))
