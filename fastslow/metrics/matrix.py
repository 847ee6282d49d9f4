"""The accuracy matrix: score of every task at every evaluation point, and when each was trained.

Rows are evaluation points in time, row 0 the untouched model; columns are tasks; higher is better;
NaN means not evaluated, never 0.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastslow import errors

NEVER = -1  # row index of what never happened

_SEPARATOR = ";"  # between task names in the `trained` column of the CSV form
_FIXED_COLUMNS = ["event", "trained"]


class MatrixError(errors.UserError, ValueError):
    """Records or a CSV text that are not an accuracy matrix; the message says why."""


class AccuracyMatrix(NamedTuple):
    """Scores A[t, i] of task i at evaluation point t, and what happened in between."""

    scores: np.ndarray  # (rows, tasks) float64
    task_names: tuple[str, ...]
    events: tuple[int, ...]  # index in the stream of each row's evaluation point
    trained: tuple[frozenset[str], ...]  # tasks with a lesson since the previous row; row 0: none


def from_records(rows: Iterable[Mapping[str, Any]]) -> AccuracyMatrix:
    """Build the matrix from the record rows of kind "lesson" and "evaluation", in order.

    A lesson counts as training whatever became of it, so that methods that turn lessons down are
    measured at the same points. Lessons after the last evaluation are left out: their effect is
    unknown. Raises MatrixError without an evaluation, or with a lesson before the first one.
    """
    evaluations: list[Mapping[str, Any]] = []
    trained: list[frozenset[str]] = []
    since: set[str] = set()
    for row in rows:
        if row["kind"] == "lesson":
            since.add(row["task"])
        elif row["kind"] == "evaluation":
            evaluations.append(row)
            trained.append(frozenset(since))
            since = set()
    if not evaluations:
        raise MatrixError("no evaluation in the records")
    if trained[0]:
        raise MatrixError("a lesson comes before the first evaluation: no row of untouched scores")
    names = tuple(dict.fromkeys(name for row in evaluations for name in row["scores"]))
    scores = [[_cell(row["scores"].get(name)) for name in names] for row in evaluations]
    events = tuple(int(row["event"]) for row in evaluations)
    return AccuracyMatrix(_as_matrix(scores, names), names, events, tuple(trained))


def first_trained(matrix: AccuracyMatrix) -> np.ndarray:
    """Return per task (tasks,) the first row after its first lesson; NEVER if it had none."""
    return _trained_row(matrix, position=0)


def last_trained(matrix: AccuracyMatrix) -> np.ndarray:
    """Return per task (tasks,) the first row after its last lesson, t_i; NEVER if it had none."""
    return _trained_row(matrix, position=-1)


def cells(matrix: AccuracyMatrix, rows: np.ndarray) -> np.ndarray:
    """Return A[rows[i], i] per task, NaN where `rows` holds NEVER."""
    picked: np.ndarray = matrix.scores[rows, np.arange(len(matrix.task_names))]
    return np.where(rows == NEVER, np.nan, picked)


def mean(values: np.ndarray) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def average_accuracy(matrix: AccuracyMatrix) -> float:
    """Return mean_i A[T, i], over the tasks evaluated at the end."""
    return mean(matrix.scores[-1])


def not_evaluated_last(matrix: AccuracyMatrix) -> list[str]:
    """Return the tasks that the last row lacks, and so every mean over A[T, i]."""
    missing = np.isnan(matrix.scores[-1])
    return [name for name, gone in zip(matrix.task_names, missing, strict=True) if gone]


def to_csv(matrix: AccuracyMatrix) -> str:
    """Return the text of matrix.csv: event, trained tasks, one column of scores per task."""
    if clash := [
        name for name in matrix.task_names if _SEPARATOR in name or name in _FIXED_COLUMNS
    ]:
        raise MatrixError(f"task name {clash[0]!r} cannot be written to a matrix file")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_FIXED_COLUMNS, *matrix.task_names])
    for event, trained, scores in zip(matrix.events, matrix.trained, matrix.scores, strict=True):
        values = [repr(float(score)) for score in scores]
        writer.writerow([event, _SEPARATOR.join(sorted(trained)), *values])
    return text.getvalue()


def from_csv(text: str) -> AccuracyMatrix:
    """Invert `to_csv`, bit for bit; raise MatrixError that names the line at fault."""
    header, *lines = list(csv.reader(io.StringIO(text))) or [[]]
    if header[:2] != _FIXED_COLUMNS or not lines:
        raise MatrixError("not a matrix: expected the columns event, trained, ... and a row")
    names = tuple(header[2:])
    scores, events, trained = [], [], []
    for number, line in enumerate(lines, start=2):
        try:
            event, tasks, *values = line
            events.append(int(event))
            scores.append([float(value) for _, value in zip(names, values, strict=True)])
        except ValueError as error:
            raise MatrixError(f"line {number} of the matrix: {error}") from error
        trained.append(frozenset(tasks.split(_SEPARATOR)) if tasks else frozenset())
    return AccuracyMatrix(_as_matrix(scores, names), names, tuple(events), tuple(trained))


def _trained_row(matrix: AccuracyMatrix, position: int) -> np.ndarray:
    rows = [
        [row for row, trained in enumerate(matrix.trained) if name in trained] or [NEVER]
        for name in matrix.task_names
    ]
    return np.array([found[position] for found in rows], dtype=np.int64)


def _cell(score: float | None) -> float:
    return float("nan") if score is None else float(score)


def _as_matrix(scores: Sequence[Sequence[float]], names: Sequence[str]) -> np.ndarray:
    return np.array(scores, dtype=np.float64).reshape(len(scores), len(names))
