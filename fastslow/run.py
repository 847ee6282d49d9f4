"""The loop: decide, absorb, evaluate, record, checkpoint. Reads like the algorithm it runs.

After every event the row goes to records.jsonl and then the whole state to a checkpoint, so that a
run killed at any instant resumes from its last completed event with the same result.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fastslow import checkpoint, computing, config, learner, run_state, seeds, teaching, types
from fastslow.evaluation import evaluator
from fastslow.report import happenings, predictions, records


class Experiment(NamedTuple):
    """What a run is made of; nothing in it changes while it runs."""

    stream: types.Stream
    learner: learner.Learner
    scheduler: types.Scheduler
    evaluation: config.Evaluation
    seed: int


Stepped = tuple[run_state.RunState, records.Row]


def run(
    experiment: Experiment,
    state: run_state.RunState,
    directory: pathlib.Path,
    tell: happenings.Tell = happenings.silent,
    keep: int = checkpoint.KEEP,
) -> run_state.RunState:
    """Go through the events that `state` has not seen, the newest `keep` checkpoints staying."""
    for event in itertools.islice(experiment.stream.events(), state.position, None):
        started = time.monotonic()
        state, row = step(experiment, state, event, directory, tell)
        state = dataclasses.replace(state, position=event.index + 1)
        records.append(directory, row, seconds=time.monotonic() - started)
        saved = run_state.save(state, experiment.learner)
        checkpoint.save(directory, state.position, saved, keep=keep)
        computing.give_back_memory()
    return state


def step(
    experiment: Experiment,
    state: run_state.RunState,
    event: types.Event,
    directory: pathlib.Path,
    tell: happenings.Tell,
) -> Stepped:
    """Process one event."""
    if isinstance(event, types.Lesson):
        return learn(experiment, state, event, tell)
    return evaluate(experiment, state, event, directory, tell)


def learn(
    experiment: Experiment,
    state: run_state.RunState,
    lesson: types.Lesson,
    tell: happenings.Tell,
) -> Stepped:
    """Decide which channels absorb the lesson, and let them."""
    teacher = teaching.Teacher(
        experiment.learner,
        experiment.scheduler,
        experiment.stream.tasks,
        experiment.evaluation,
        tell,
    )
    seed = seeds.derive(experiment.seed, "lesson", lesson.index)
    after, report = teaching.teach(teacher, state, lesson, seed)
    return after, records.lesson_row(lesson, report, after.slow_steps, after.scheduler)


def evaluate(
    experiment: Experiment,
    state: run_state.RunState,
    point: types.EvaluationPoint,
    directory: pathlib.Path,
    tell: happenings.Tell,
) -> Stepped:
    """Score the tasks of the point, measure drift, and write predictions and prompts down."""
    tasks = [experiment.stream.tasks[name] for name in point.tasks]
    tell(happenings.EvaluationStarted(point))
    seed = seeds.derive(experiment.seed, "evaluation", point.index)
    exams = [evaluator.Exam(task, task.test) for task in tasks]
    result = evaluator.evaluate(experiment.learner, state.model, exams, experiment.evaluation, seed)
    drift, drift_cost = measure_drift(experiment.learner, state.model, tasks)
    predictions.write(directory, point.index, result.graded)
    experiment.learner.export(state.model, directory / "prompts" / str(point.index))
    tell(happenings.Evaluated(point, result.scores, drift))
    cost = result.cost + drift_cost
    after = dataclasses.replace(state, cost=state.cost + cost)
    counts = {name: len(rows) for name, rows in result.graded.items()}
    row = records.evaluation_row(point, result.scores, counts, drift, after.slow_steps, cost)
    return after, row


def measure_drift(
    model: learner.Learner, state: types.ModelState, tasks: Iterable[types.Task]
) -> tuple[dict[str, Mapping[str, learner.Drift]], types.Cost]:
    """Return the drift report of every task, and what it cost."""
    reports = {task.name: model.drift(state, task) for task in tasks}
    cost = sum((spent for _, spent in reports.values()), types.Cost())
    return {name: report for name, (report, _) in reports.items()}, cost


def quadrants(
    experiment: Experiment, state: run_state.RunState, known: Mapping[str, Mapping[str, float]]
) -> tuple[dict[str, dict[str, float]], types.Cost]:
    """Score {base, trained} weights x {seed, evolved} prompts on every task (FST, table 2).

    `known` holds what evaluation points measured already, by quadrant and task name. A channel that
    never moved has one value, so its two quadrants are one measurement.
    """
    base = learner.init(experiment.learner, experiment.seed)
    weights = {"base": base.slow}
    if learner.moved(base.slow, state.model.slow):
        weights["trained"] = state.model.slow
    prompts = {"seed": base.fast}
    if state.model.fast != base.fast:
        prompts["evolved"] = state.model.fast
    seed = seeds.derive(experiment.seed, "quadrants")
    origins = {
        f"{weight}_{prompt}": "_".join(
            (weight if weight in weights else "base", prompt if prompt in prompts else "seed")
        )
        for weight, prompt in itertools.product(("base", "trained"), ("seed", "evolved"))
    }
    scores: dict[str, dict[str, float]] = {}
    for corner, origin in origins.items():
        scores.setdefault(origin, {}).update(known.get(corner, {}))
    cost = types.Cost()
    for (weight, slow), (prompt, fast) in itertools.product(weights.items(), prompts.items()):
        measured = scores[f"{weight}_{prompt}"]
        missing = [
            evaluator.Exam(task, task.test)
            for name, task in experiment.stream.tasks.items()
            if name not in measured
        ]
        model = types.ModelState(slow=slow, fast=fast)
        result = evaluator.evaluate(experiment.learner, model, missing, experiment.evaluation, seed)
        measured.update(result.scores)
        cost += result.cost
    return {corner: scores[origin] for corner, origin in origins.items()}, cost
