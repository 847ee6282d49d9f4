"""Series of several runs on common places, so that they can be averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fastslow.metrics import matrix as matrices
from fastslow.report import overview, records, runs
from fastslow.report.comparison import comparing, groups

Series = Mapping[int, float]  # place (lessons taught, or since a task's first) -> value


class Band(NamedTuple):
    """A mean over seeds with its interval, each (places,); NaN bounds where there is one."""

    places: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(
    comparison: comparing.Comparison,
    method: groups.Method,
    places: np.ndarray,
    values: np.ndarray,
) -> Band:
    """Average values (runs, places) of a method's runs.

    `places` is (places,), or (runs, places) to be averaged too. A place that only one of several
    runs has is left out.
    """
    enough = (~np.isnan(values)).sum(axis=0) >= min(2, len(values))
    seeds = [run.seeds for run in method.runs]
    estimates = [
        comparison.estimate(dict(zip(seeds, column, strict=True))) for column in values.T[enough]
    ]
    of_runs = np.broadcast_to(places, values.shape)[:, enough].T
    centres = [matrices.mean(column) for column in of_runs]
    columns = [[getattr(one, name) for one in estimates] for name in ("mean", "low", "high")]
    return Band(np.array(centres), *map(np.array, columns))


def align(by_run: Sequence[Series]) -> tuple[np.ndarray, np.ndarray]:
    """Return all places (places,) in order and the values (runs, places), NaN beyond a run's own.

    Runs whose tasks come in another order may be evaluated at other places: between two of its own
    a run counts with what stands on the straight line between them. A mean of the runs that happen
    to be evaluated at a place would jump from one subset of them to the next.
    """
    places = np.array(sorted({place for series in by_run for place in series}), np.float64)
    values = [_on_the_line(series, places) for series in by_run]
    return places, np.array(values).reshape(len(by_run), len(places))


def _on_the_line(series: Series, places: np.ndarray) -> np.ndarray:
    known = sorted(place for place, value in series.items() if not math.isnan(value))
    if not known:
        return np.full(len(places), np.nan)
    nothing = float("nan")
    values = [series[place] for place in known]
    return np.interp(places, known, values, left=nothing, right=nothing)


def mean_scores(run: runs.Run) -> Series:
    """Return the mean score of all tasks by lessons taught; NaN where one was not evaluated."""
    return by_lessons(run, matrices.from_records(run.rows).scores.mean(axis=1))


def by_lessons(run: runs.Run, values: np.ndarray) -> Series:
    """Return values (evaluations,) by the lessons that had been taught."""
    counts = overview.lessons_before_evaluations(run.rows)
    return dict(zip(counts, map(float, values), strict=True))


def drifts(run: runs.Run, condition: str, direction: str) -> Series:
    """Return the mean drift over tasks at every evaluation, in nats per token."""
    evaluations = records.of_kind(run.rows, "evaluation")
    means = [overview.mean_drift(row["drift"], condition, direction) for row in evaluations]
    return by_lessons(run, np.array(means))


def task_scores(run: runs.Run, task: str) -> Series:
    """Return the scores of one task by lessons taught; {} for a task the run does not know."""
    matrix = matrices.from_records(run.rows)
    if task not in matrix.task_names:
        return {}
    return by_lessons(run, matrix.scores[:, matrix.task_names.index(task)])


def constants(methods: Sequence[groups.Method]) -> dict[str, float]:
    """Return what the best constant answer scores, by task; {} where no run recorded it."""
    return {
        task: score
        for method in methods
        for run in method.runs
        for task, score in overview.constants(run.rows).items()
    }


def common_plan(methods: Sequence[groups.Method]) -> list[str] | None:
    """Return the task of every lesson if all runs agree as far as they go, else None."""
    plans = [runs.taught(run) for method in methods for run in method.runs]
    longest = max(plans, key=len, default=[])
    return longest if all(plan == longest[: len(plan)] for plan in plans) else None
