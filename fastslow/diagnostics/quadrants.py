"""Which channel carries the gain, along the run and not only at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import ClassVar

from fastslow import checkpoint, session, types
from fastslow import run as loop
from fastslow.diagnostics import contracts
from fastslow.diagnostics import subject as subjects
from fastslow.report import overview, records, table, wording


@dataclasses.dataclass(frozen=True)
class Quadrants:
    """Scores of {base, trained weights} x {seed, evolved prompt} at every evaluation point.

    Only where a checkpoint is left (`--keep_checkpoints=0` leaves all); the others are listed.
    """

    reads: ClassVar[str] = "test items of the run's tasks"

    def measure(self, subject: subjects.Subject) -> contracts.Finding:
        """Restore every checkpoint that holds an evaluation's model, and score its corners."""
        evaluations = records.of_kind(subject.rows, "evaluation")
        kept = checkpoint.events(subject.directory)
        places = {row["event"]: place_of(row["event"], kept) for row in evaluations}
        untouched = records.known_quadrants(subject.directory, subject.tasks)["base_seed"]
        cost = types.Cost()
        points = []
        for row in evaluations:
            place = places[row["event"]]
            if place is None:
                continue
            experiment = subject.built.experiment
            state = session.restore_at(experiment, subject.directory, place)
            known = {"base_seed": untouched, "trained_evolved": _known(row["scores"])}
            scores, spent = loop.quadrants(experiment, state, known)
            cost += spent
            points.append({"event": row["event"], "quadrants": by_task(scores)})
        missing = [event for event, place in places.items() if place is None]
        return contracts.Finding({"points": points, "missing": missing}, cost, _notes(missing))

    def tables(self, values: types.Json) -> list[table.Table]:
        """Return the mean over tasks of every corner, one line per evaluation."""
        body = []
        for point in values["points"]:
            known = {
                task: {c: overview.number(v) for c, v in corners.items()}
                for task, corners in point["quadrants"].items()
            }
            means = overview.corner_means(known)
            body.append((str(point["event"]), *(wording.score(means[c]) for c in overview.CORNERS)))
        header = ("Event", *(corner.replace("_", "\n") for corner in overview.CORNERS))
        return [table.Table("Weights x prompt, mean over tasks", header, tuple(body))]


def place_of(event: int, kept: Iterable[int]) -> int | None:
    """Return a checkpoint with the model that was evaluated at `event`, None if none is kept.

    An evaluation changes no model: the checkpoint after it and the one before it are as good.
    """
    return next((place for place in (event + 1, event) if place in kept and place > 0), None)


def by_task(scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Turn {corner: {task: score}} into {task: {corner: score}}."""
    tasks = dict.fromkeys(task for measured in scores.values() for task in measured)
    return {task: {corner: scores[corner][task] for corner in scores} for task in tasks}


def _known(scores: Mapping[str, float | None]) -> dict[str, float]:
    return {task: score for task, score in scores.items() if score is not None}


def _notes(missing: list[int]) -> tuple[str, ...]:
    if not missing:
        return ()
    listed = ", ".join(map(str, missing))
    return (
        f"the checkpoints of the evaluations at events {listed} are gone: run with "
        "--keep_checkpoints=0 to have them",
    )
