"""What a diagnostic is given: a run as it was at one of its checkpoints, loaded as far as asked."""

from __future__ import annotations

import dataclasses
import functools
import pathlib

from fastslow import config, learner, reopening, run_state, session, types
from fastslow.learners import language
from fastslow.report import records


@dataclasses.dataclass(frozen=True)
class Subject:
    """A run directory after `position` events. Reading records does not load the model."""

    directory: pathlib.Path
    position: int

    @functools.cached_property
    def settings(self) -> config.Run:
        """The configuration of the run."""
        return reopening.settings(self.directory)

    @functools.cached_property
    def rows(self) -> list[records.Row]:
        """The records by then: what is written after the last event only if that was the last."""
        rows = records.read(self.directory)
        end = max((row["event"] + 1 for row in rows if row["event"] is not None), default=0)
        return [row for row in rows if _is_before(row, self.position, end)]

    @functools.cached_property
    def built(self) -> session.Built:
        """What the configuration stands for."""
        return reopening.build(self.directory)

    @property
    def parts(self) -> language.Language:
        """The language model with its channels."""
        return self.built.parts

    @property
    def tasks(self) -> dict[str, types.Task]:
        """All tasks of the stream by name."""
        return dict(self.built.experiment.stream.tasks)

    @functools.cached_property
    def lessons(self) -> tuple[types.Lesson, ...]:
        """The lessons by then."""
        events = self.built.experiment.stream.events()
        return tuple(e for e in events if isinstance(e, types.Lesson) and e.index < self.position)

    @functools.cached_property
    def state(self) -> run_state.RunState:
        """The state in the checkpoint."""
        return session.restore_at(self.built.experiment, self.directory, self.position)

    @functools.cached_property
    def base(self) -> types.ModelState:
        """The state before any lesson."""
        return learner.init(self.built.experiment.learner, self.settings.seed)

    @functools.cached_property
    def moved(self) -> bool:
        """Whether the weights are others than before any lesson."""
        return learner.moved(self.base.slow, self.state.model.slow)


def _is_before(row: records.Row, position: int, end: int) -> bool:
    if row["kind"] == "tasks":
        return True
    return bool(position >= end if row["event"] is None else row["event"] < position)
