"""Could the run still learn? Against runs that had each task to themselves."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np

from fastslow import config, run_state, session, types
from fastslow import run as loop
from fastslow.diagnostics import contracts, remembered
from fastslow.diagnostics import subject as subjects
from fastslow.metrics import matrix, plasticity
from fastslow.report import overview, records, table, wording

_SHARED = ("seed", "model", "scheduler", "fast", "slow", "evaluation")


@dataclasses.dataclass(frozen=True)
class Alone:
    """The part of a stream that teaches one task: its lessons, and an evaluation at the end."""

    task: types.Task
    lessons: Sequence[types.Lesson]

    @property
    def tasks(self) -> Mapping[str, types.Task]:
        """The one task by its name."""
        return {self.task.name: self.task}

    def events(self) -> Iterator[types.Event]:
        """Yield the lessons and the evaluation, numbered as in the run: seeds derive from it."""
        yield from self.lessons
        yield types.EvaluationPoint(self.lessons[-1].index + 1, (self.task.name,))


@dataclasses.dataclass(frozen=True)
class Intransigence:
    """Score of a run that was taught one task alone, minus this run's right after its last lesson.

    reference_i - A[t_i, i], positive = could not learn (arXiv 1801.10112, equation 8). The
    reference is the run's own configuration on the same lessons of task i and no others, so that
    its channels have the same budget, and on the same places in the stream, so that they have the
    same seeds: the task that is taught first, all its lessons before any other task's, has no
    intransigence. References are kept in the user's cache directory, for all runs of the same seed,
    lessons, places and configuration.
    """

    reads: ClassVar[str] = "test items of the run's tasks"

    def measure(self, subject: subjects.Subject) -> contracts.Finding:
        """Run or recall the reference of every task that was taught."""
        scores, problem = overview.accuracy(subject.rows)
        if scores is None:
            raise contracts.NotApplicableError(f"{subject.directory}: {problem}")
        lessons = [x for x in subject.lessons if x.index < scores.events[-1]]
        lesson_tasks = {lesson.task_name for lesson in lessons}
        taught = [name for name in scores.task_names if name in lesson_tasks]
        if not taught:
            raise contracts.NotApplicableError(
                f"{subject.directory}: no lesson was evaluated by event {subject.position}"
            )
        references, cost, recalled = {}, types.Cost(), []
        for name in taught:
            own = [lesson for lesson in lessons if lesson.task_name == name]
            found, known = reference(subject, own)
            references[name] = found["score"]
            recalled += [name] * known
            cost += types.Cost() if known else types.Cost(**found["cost"])
        learned = dict(zip(scores.task_names, plasticity.learning_accuracy(scores), strict=True))
        missed = dict(
            zip(scores.task_names, plasticity.intransigence(scores, references), strict=True)
        )
        values = {
            name: {
                "reference": references[name],
                "learned": learned[name],
                "intransigence": missed[name],
            }
            for name in taught
        }
        return contracts.Finding({"tasks": values}, cost, _notes(recalled))

    def tables(self, values: types.Json) -> list[table.Table]:
        """Return one line per task, and the mean."""
        names = ("reference", "learned", "intransigence")
        lines = {
            task: [np.nan if told[name] is None else told[name] for name in names]
            for task, told in values["tasks"].items()
        }
        means = [matrix.mean(np.array(column)) for column in zip(*lines.values(), strict=True)]
        body = tuple((task, *_cells(line)) for task, line in lines.items())
        header = ("Task", "Alone", "After learning\nin this run", "Intransigence")
        footer = ("average", *_cells(means))
        return [table.Table("Positive = this run could not learn it as well", header, body, footer)]


def reference(
    subject: subjects.Subject, lessons: Sequence[types.Lesson]
) -> tuple[types.Json, bool]:
    """Return {"score", "cost"} of the run on one task's lessons, and whether it was known."""
    alone = Alone(subject.tasks[lessons[0].task_name], lessons)
    configured = config.to_json(subject.settings)
    identity = subject.built.identity
    key = {
        "config": {name: configured[name] for name in _SHARED},
        "identity": {name: identity[name] for name in ("model_digest", "template_digests")},
        "task": session.digest(alone),
        "lessons": session.plan_digest(alone),
    }
    return remembered.remembered("references", key, lambda: carry_out(subject, alone))


def carry_out(subject: subjects.Subject, alone: Alone) -> dict[str, types.Json]:
    """Run the subject's experiment on one task alone; return its final score and its cost."""
    experiment = subject.built.experiment._replace(stream=alone)
    state = run_state.init(experiment.learner, experiment.scheduler, experiment.seed)
    with tempfile.TemporaryDirectory(prefix="fastslow-") as folder:
        directory = pathlib.Path(folder)
        state = loop.run(experiment, state, directory)
        (row,) = records.of_kind(records.read(directory), "evaluation")
    return {
        "score": row["scores"][alone.task.name],
        "cost": state.cost._asdict(),
        "slow_steps": state.slow_steps,
    }


def _notes(recalled: Sequence[str]) -> tuple[str, ...]:
    if not recalled:
        return ()
    return (f"references that other runs have computed: {', '.join(recalled)}",)


def _cells(line: Sequence[float]) -> tuple[str, ...]:
    return (*map(wording.score, line[:2]), wording.change(line[2]))
