"""What the claims measure: pure functions from runs to one number per pair of seeds.

`Found` holds runs by "grid/scheduler" and seeds. A number that a pair does not define is NaN and
left out of the estimate; one that is infinite stays, and makes the mean infinite: a method that
never gets there is no missing value.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from fastslow import errors
from fastslow.diagnostics import probing
from fastslow.metrics import efficiency
from fastslow.metrics import matrix as matrices
from fastslow.report import overview, records, runs
from fastslow.report.comparison import measures

Seeds: TypeAlias = tuple[int, int]
Found: TypeAlias = Mapping[str, Mapping[Seeds, runs.Run]]
Effect: TypeAlias = Callable[[Found], Mapping[Seeds, float]]


def of(method: str, number: Callable[[runs.Run], float]) -> Effect:
    """Return the effect that is a number of each of a method's own runs."""
    return lambda found: {seeds: number(run) for seeds, run in found[method].items()}


def between(method: str, baseline: str, number: Callable[[runs.Run, runs.Run], float]) -> Effect:
    """Return the effect that is a number of two methods' runs with the same seeds."""

    def paired(found: Found) -> Mapping[Seeds, float]:
        both = sorted(found[method].keys() & found[baseline].keys())
        for seeds in both:
            _check_data(found[method][seeds], found[baseline][seeds])
        return {seeds: number(found[method][seeds], found[baseline][seeds]) for seeds in both}

    return paired


class DataError(errors.UserError, ValueError):
    """Runs that are to be compared were taught other data."""


def _check_data(run: runs.Run, baseline: runs.Run) -> None:
    """Raise DataError unless both runs have the same items; code that makes streams may change."""
    ours, theirs = (one.about.get("stream_digest") for one in (run, baseline))
    if ours != theirs:
        raise DataError(
            f"{run.directory} and {baseline.directory} are runs of the same stream and seeds, but "
            "on other items: one of them was made by an earlier version, run it again"
        )


def change(number: Callable[[runs.Run], float]) -> Callable[[runs.Run, runs.Run], float]:
    """Return the function that gives the number of one run minus that of another."""
    return lambda run, baseline: number(run) - number(baseline)


def relative_steps(run: runs.Run, baseline: runs.Run) -> float:
    """Return slow steps to the baseline's best score over the baseline's own, mean over tasks.

    Per task: only steps on lessons of the task count, so that a task that comes later starts at 0.
    A task on which the baseline is best before its first step is left out; one on which the run
    never gets there makes the mean infinite.
    """
    ratios = []
    for task in matrices.from_records(run.rows).task_names:
        own = efficiency.of_task(task, efficiency.slow_steps)
        ours, theirs = (efficiency.curve(r.rows, task, own) for r in (run, baseline))
        ratios.append(efficiency.relative_effort(ours, theirs))
    known = [ratio for ratio in ratios if not math.isnan(ratio)]
    return float(np.mean(known)) if known else float("nan")


def relative_drift(run: runs.Run, baseline: runs.Run) -> float:
    """Return drift over the baseline's where both reach the same score, geometric mean over tasks.

    Per task: the score is the lower one of the two runs' best; the drift is KL(trained || base)
    with the prompt in use, at the first evaluation that reaches it. A task on which one of the runs
    has not drifted by then, or neither ever scored, is left out.
    """
    tasks = matrices.from_records(run.rows).task_names
    ratios = []
    for task in tasks:
        ours, theirs = _scored(run, task), _scored(baseline, task)
        level = min(max(ours)[0], max(theirs)[0])
        drift, other = _drift_at(ours, level), _drift_at(theirs, level)
        if level > 0 and other > 0 and drift > 0:
            ratios.append(drift / other)
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else float("nan")


def channel_share(channel: str, kind: str | None = None) -> Callable[[runs.Run], float]:
    """Return the function: share of lessons (of tasks of a kind) that a channel alone was given.

    A lesson that both channels or none got counts as not given to it.
    """

    def share(run: runs.Run) -> float:
        kinds = overview.kinds(run.rows)
        lessons = [
            row["decision"]
            for row in records.of_kind(run.rows, "lesson")
            if kind is None or kinds.get(row["task"]) == kind
        ]
        budget, other = "fast_budget", "slow_steps"
        if channel == "slow":
            budget, other = other, budget
        given = [bool(d[budget]) and not d[other] for d in lessons]
        return float(np.mean(given)) if given else float("nan")

    return share


def plasticity(run: runs.Run) -> float:
    """Return what fresh training on a new task scores from a run's weights, minus from the base."""
    path = probing.path_of(run.directory, "plasticity", None)
    if not path.exists():
        return float("nan")
    values = json.loads(path.read_text("utf-8"))["values"]
    return float(values["differences"]["final"]["mean"])


def relative_cost(field: str) -> Callable[[runs.Run, runs.Run], float]:
    """Return the function that gives what one run's lessons used over what another's did."""

    def ratio(run: runs.Run, baseline: runs.Run) -> float:
        ours, theirs = (
            sum(map(efficiency.EFFORTS[field], records.of_kind(r.rows, "lesson")))
            for r in (run, baseline)
        )
        return ours / theirs if theirs else float("nan")

    return ratio


average_accuracy = measures.MEASURES["average_accuracy"].of
learning_accuracy = measures.MEASURES["learning_accuracy"].of
forgetting = measures.MEASURES["forgetting"].of


def _scored(run: runs.Run, task: str) -> list[tuple[float, float]]:
    """Return (score, drift) of a task at every evaluation that measured both."""
    found = []
    for row in records.of_kind(run.rows, "evaluation"):
        score = row["scores"].get(task)
        drift = row["drift"].get(task, {}).get("with_prompt", {}).get("trained_base")
        if score is not None and drift is not None:
            found.append((float(score), float(drift)))
    return found or [(float("nan"), float("nan"))]


def _drift_at(points: list[tuple[float, float]], level: float) -> float:
    reaching = itertools.dropwhile(lambda point: not point[0] >= level, points)
    return next((drift for _, drift in reaching), float("nan"))


share_fast = functools.partial(channel_share, "fast")
share_slow = functools.partial(channel_share, "slow")
