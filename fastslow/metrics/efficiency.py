"""Sample efficiency: how much one method needs to get where another one got."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fastslow import types
from fastslow.metrics import matrix as matrices

Effort: TypeAlias = Callable[[Mapping[str, Any]], float]  # lesson row -> what it used


class Curve(NamedTuple):
    """Score against effort so far (slow steps, tokens, seconds), one point per evaluation."""

    effort: np.ndarray  # (points,) float64, never decreasing
    scores: np.ndarray  # (points,) float64, NaN = not evaluated


def slow_steps(lesson: Mapping[str, Any]) -> float:
    """Return the steps that a lesson row says were tried.

    Those that found no signal and updated nothing count, and so do those of a rejected result.
    """
    return float(sum(len(part["details"].get("steps", ())) for part in lesson["absorbed"]))


def cost(field: str) -> Effort:
    """Return the effort that adds up one field of types.Cost over all that a lesson used."""
    return lambda lesson: float(sum(getattr(part, field) for part in _costs(lesson)))


def of_task(task: str, effort: Effort) -> Effort:
    """Return the effort that counts only lessons of one task."""
    return lambda lesson: effort(lesson) if lesson["task"] == task else 0.0


def tokens(lesson: Mapping[str, Any]) -> float:
    """Return the tokens of a lesson row: read, written or trained on."""
    read, written, trained = map(cost, ("prompt_tokens", "completion_tokens", "train_tokens"))
    return read(lesson) + written(lesson) + trained(lesson)


def _costs(lesson: Mapping[str, Any]) -> list[types.Cost]:
    """Return what both channels used, and what deciding about the lesson used if it says so."""
    deciding = [lesson["deciding"]] if "deciding" in lesson else []
    reselected = [lesson["reselected"]] if lesson.get("reselected") else []
    used = [*(part["cost"] for part in (*lesson["absorbed"], *reselected)), *deciding]
    return [types.Cost(**cost) for cost in used]


def spent(rows: Sequence[Mapping[str, Any]], effort: Effort) -> np.ndarray:
    """Return (evaluations,) the effort of all lessons before each evaluation in the rows."""
    total, found = 0.0, []
    for row in rows:
        if row["kind"] == "lesson":
            total += effort(row)
        elif row["kind"] == "evaluation":
            found.append(total)
    return np.array(found, dtype=np.float64)


def curve(
    rows: Sequence[Mapping[str, Any]], task: str | None = None, effort: Effort = slow_steps
) -> Curve:
    """Return the learning curve in the record rows: of one task, or the mean of all tasks.

    The mean is NaN where a task was not evaluated: it would be one over other tasks. Raises
    MatrixError where the rows are no accuracy matrix, or know nothing of `task`.
    """
    matrix = matrices.from_records(rows)
    if task is None:
        scores = matrix.scores.mean(axis=1)
    elif task in matrix.task_names:
        scores = matrix.scores[:, matrix.task_names.index(task)]
    else:
        raise matrices.MatrixError(f"no scores of task {task!r}")
    return Curve(spent(rows, effort), scores)


def effort_to_reach(learning: Curve, level: float) -> float:
    """Return the effort at the first evaluation that scores `level` or more; inf if none does."""
    reached = np.flatnonzero(learning.scores >= level)
    return float(learning.effort[reached[0]]) if reached.size else float("inf")


def relative_effort(a: Curve, b: Curve) -> float:
    """Return the effort of `a` to reach b's best score over b's own; below 1, `a` is the better.

    inf where `a` never gets there; NaN where `b` is best without any effort, or never evaluated.
    Its inverse with slow steps is the "x times fewer steps" of arXiv 2605.12484.
    """
    if np.isnan(b.scores).all():
        return float("nan")
    best = float(np.nanmax(b.scores))
    own = effort_to_reach(b, best)
    return effort_to_reach(a, best) / own if own else float("nan")


EFFORTS: Mapping[str, Effort] = {
    "slow_steps": slow_steps,
    "tokens": tokens,
    "flops": cost("flops"),
    "seconds": cost("seconds"),
}
