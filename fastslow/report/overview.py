"""What a run came to: pure functions from record rows to the numbers that every output shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fastslow import types
from fastslow.metrics import forgetting, plasticity
from fastslow.metrics import matrix as matrices
from fastslow.report import records

CHANNELS = ("fast", "slow")
DIRECTIONS = {  # of a drift: key in the records -> name
    "trained_base": "KL(trained \N{DOUBLE VERTICAL LINE} base)",
    "base_trained": "KL(base \N{DOUBLE VERTICAL LINE} trained)",
}
CONDITIONS = {"with_prompt": "with prompt", "without_prompt": "without prompt"}
CORNERS = {  # {base, trained} weights x {seed, evolved} prompt: what of it the run learned
    "base_seed": "neither",
    "base_evolved": "prompts only",
    "trained_seed": "weights only",
    "trained_evolved": "both",
}
NAN = float("nan")


class TaskLine(NamedTuple):
    """One task's scores in [0, 1] and how much was forgotten; NaN where it is not known."""

    name: str
    lessons: int
    first: float  # the untouched model
    learned: float  # after the task's last lesson
    final: float
    forgetting: float  # positive = forgot
    constant: float = NAN  # what the best constant answer scores


class DriftPoint(NamedTuple):
    """An evaluation of all tasks: mean score and mean drifts in nats per token."""

    score: float
    drift: Mapping[tuple[str, str], float]  # (condition, direction) -> mean over tasks


def accuracy(rows: Iterable[records.Row]) -> tuple[matrices.AccuracyMatrix | None, str]:
    """Return the accuracy matrix, or None and the reason why there is none."""
    try:
        return matrices.from_records(rows), ""
    except matrices.MatrixError as error:
        return None, str(error)


def task_lines(
    matrix: matrices.AccuracyMatrix, rows: Iterable[records.Row]
) -> tuple[TaskLine, ...]:
    """Return the scores of every task, in the order of the matrix."""
    rows = list(rows)
    taught = [row["task"] for row in records.of_kind(rows, "lesson")]
    constant = constants(rows)
    return tuple(
        TaskLine(name, taught.count(name), *map(float, scores))._replace(
            constant=constant.get(name, NAN)
        )
        for name, *scores in zip(
            matrix.task_names,
            matrix.scores[0],
            plasticity.learning_accuracy(matrix),
            matrix.scores[-1],
            forgetting.forgetting(matrix),
            strict=True,
        )
    )


def average(lines: Sequence[TaskLine]) -> TaskLine:
    """Return the mean over the tasks for which each number is known; lessons are added up."""
    columns = [matrices.mean(np.array(column)) for column in list(zip(*lines, strict=True))[2:]]
    return TaskLine("average", sum(line.lessons for line in lines), *columns)


def constants(rows: Iterable[records.Row]) -> dict[str, float]:
    """Return what the best constant answer scores, by task; {} where it was not recorded."""
    return {task: number(facts["constant"]["score"]) for task, facts in _tasks(rows).items()}


def constant_answers(rows: Iterable[records.Row]) -> dict[str, str]:
    """Return the constant answer that scores best, by task; {} where it was not recorded."""
    return {task: str(facts["constant"]["answer"]) for task, facts in _tasks(rows).items()}


def kinds(rows: Iterable[records.Row]) -> dict[str, str]:
    """Return what each task teaches ("convention", "skill"), for those whose stream says it."""
    return {task: facts["kind"] for task, facts in _tasks(rows).items() if facts["kind"]}


def last_drift(rows: Iterable[records.Row]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the newest drift report of every task: {task: {condition: {direction: nats}}}."""
    return {
        task: report
        for row in records.of_kind(rows, "evaluation")
        for task, report in row["drift"].items()
        if report
    }


def mean_drift(
    reports: Mapping[str, Mapping[str, Mapping[str, float | None]]], condition: str, direction: str
) -> float:
    """Return the mean drift, in nats per token, over the tasks where it was measured.

    `reports`: {task: {condition: {direction: nats}}}, as in the row of an evaluation.
    """
    return _mean(report.get(condition, {}).get(direction) for report in reports.values())


def drift_points(rows: Iterable[records.Row]) -> tuple[DriftPoint, ...]:
    """Return every evaluation of all tasks with its mean score and mean drifts.

    Evaluations of some tasks are left out: their mean is over other tasks, not comparable.
    """
    evaluations = records.of_kind(rows, "evaluation")
    tasks = {task for row in evaluations for task in row["scores"]}
    return tuple(
        DriftPoint(
            _mean(row["scores"].values()),
            {
                (condition, direction): mean_drift(row["drift"], condition, direction)
                for condition in CONDITIONS
                for direction in DIRECTIONS
            },
        )
        for row in evaluations
        if all(row["scores"].get(task) is not None for task in tasks)
    )


def costs(rows: Iterable[records.Row]) -> dict[str, types.Cost]:
    """Return what each channel, the evaluations and the scheduler's own measurements cost.

    In that order; the scheduler's only if it measured anything. Choosing prompts again counts for
    the fast channel.
    """
    spent = dict.fromkeys((*CHANNELS, "evaluation"), types.Cost())
    for row in rows:
        if any(row.get("deciding", {}).values()):
            spent["deciding"] = spent.get("deciding", types.Cost()) + types.Cost(**row["deciding"])
        for part in row.get("absorbed", ()):
            spent[part["channel"]] += types.Cost(**part["cost"])
        if row.get("reselected"):
            spent["fast"] += types.Cost(**row["reselected"]["cost"])
        if "cost" in row:
            own = types.Cost(**row["cost"])._replace(seconds=row["timing"]["seconds"])
            spent["evaluation"] += own
    return spent


def finished(rows: Iterable[records.Row]) -> bool:
    """Return whether all events have happened, and the quadrants after them."""
    return bool(records.of_kind(rows, "quadrants"))


def events(rows: Iterable[records.Row]) -> int:
    """Return how many events are recorded."""
    return sum(row["event"] is not None for row in rows)


def seconds(rows: Iterable[records.Row]) -> float:
    """Return the wall time of all events."""
    return float(sum(row["timing"]["seconds"] for row in rows))


def slow_steps(rows: Sequence[records.Row]) -> int:
    """Return the slow steps tried in the whole run, whether or not they updated the weights."""
    return max((row["slow_steps"] for row in rows if "slow_steps" in row), default=0)


def outcomes(rows: Iterable[records.Row]) -> dict[str, dict[str, int]]:
    """Return how often a lesson ended how in each channel: {channel: {outcome: count}}."""
    counted: dict[str, dict[str, int]] = {channel: {} for channel in CHANNELS}
    for row in records.of_kind(rows, "lesson"):
        for part in row["absorbed"]:
            of_channel = counted[part["channel"]]
            of_channel[part["outcome"]] = of_channel.get(part["outcome"], 0) + 1
    return counted


def lessons_before_evaluations(rows: Iterable[records.Row]) -> list[int]:
    """Return, per evaluation in order, how many lessons came before it."""
    counts, lessons = [], 0
    for row in rows:
        lessons += row["kind"] == "lesson"
        if row["kind"] == "evaluation":
            counts.append(lessons)
    return counts


def step_rewards(rows: Iterable[records.Row]) -> list[tuple[int, float]]:
    """Return (slow steps so far, mean reward of its rollouts) of every slow step that has any."""
    sampled: list[tuple[int, float]] = []
    for row in records.of_kind(rows, "lesson"):
        for part in row["absorbed"]:
            steps = part["details"].get("steps", ()) if part["channel"] == "slow" else ()
            start = row["slow_steps"] - len(steps)
            rewards = [(start + n, number(step.get("reward"))) for n, step in enumerate(steps, 1)]
            sampled += [(step, reward) for step, reward in rewards if not math.isnan(reward)]
    return sampled


def quadrants(rows: Iterable[records.Row]) -> dict[str, dict[str, float]]:
    """Return {task: {corner: score}} of the end of the run; {} before that. NaN = not measured."""
    measured: dict[str, dict[str, float | None]] = {}
    for row in records.of_kind(rows, "quadrants"):
        measured = row["quadrants"]
    return {
        task: {corner: number(corners.get(corner)) for corner in CORNERS}
        for task, corners in measured.items()
    }


def corner_means(by_task: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the mean score of every corner over the tasks of which all corners are known."""
    whole = complete(by_task)
    return {corner: _mean(by_task[task][corner] for task in whole) for corner in CORNERS}


def complete(by_task: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the tasks of which all corners are known; only their means can be compared."""
    return [task for task, corners in by_task.items() if not any(map(math.isnan, corners.values()))]


def number(value: float | None) -> float:
    """Return a number of the records, where NaN is written as null."""
    return NAN if value is None else float(value)


def _tasks(rows: Iterable[records.Row]) -> dict[str, types.Json]:
    return {k: v for row in records.of_kind(rows, "tasks") for k, v in row["tasks"].items()}


def _mean(values: Iterable[float | None]) -> float:
    return matrices.mean(np.array([number(value) for value in values], np.float64))
