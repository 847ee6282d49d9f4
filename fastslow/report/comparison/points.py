"""At which point of their runs methods are compared: at the end, or at equal cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastslow.metrics import efficiency
from fastslow.report import records, runs, wording
from fastslow.report.comparison import groups

UNITS = {"slow_steps": "slow steps", "tokens": "tokens", "flops": "FLOP", "seconds": "seconds"}


class Point(NamedTuple):
    """Where runs are compared: at a `level` of an effort, or at the end of the stream."""

    effort: str | None  # a name of efficiency.EFFORTS
    level: float  # the effort, or the position of the last event

    def __str__(self) -> str:
        if self.effort is None:
            return "at the end of the stream"
        return f"at {wording.quantity(self.level)} {UNITS[self.effort]}"


def choose(methods: Sequence[groups.Method], effort: str | None) -> Point:
    """Return the end of the stream, or the largest effort that the complete runs all reached.

    Unfinished runs count only where no run is complete. A method that spends nothing of the effort
    (prompts alone take no slow step) is within any budget and sets no limit. Raises RunsError if
    nobody spent anything.
    """
    everyone = [run for method in methods for run in method.runs]
    whole = [run for run in everyone if run.done] or everyone
    if effort is None:
        ends = [_last_event(run) for run in whole if run.done]
        return Point(None, max(ends, default=float("inf")))
    reached = [float(np.max(spent(run, effort), initial=0.0)) for run in whole]
    if not any(reached):
        raise runs.RunsError(f"no run spent any {UNITS[effort]}: nothing to align them at")
    return Point(effort, min(level for level in reached if level > 0))


def cut(run: runs.Run, point: Point) -> tuple[runs.Run | None, str]:
    """Return the run up to the point, or None and the reason why it does not get there."""
    if not records.of_kind(run.rows, "evaluation"):
        return None, "no evaluation yet"
    if point.effort is None:
        if run.done or _last_event(run) >= point.level:
            return run, ""
        return None, "unfinished"
    efforts = spent(run, point.effort)
    if not run.done and efforts[-1] < point.level:
        return None, f"unfinished, short of {wording.quantity(point.level)} {UNITS[point.effort]}"
    within = int(np.searchsorted(efforts, point.level, side="right"))  # efforts never decrease
    if run.done and within == len(efforts):
        return run, ""
    return run._replace(rows=_until_evaluation(run.rows, within)), ""


def spent(run: runs.Run, effort: str) -> np.ndarray:
    """Return (evaluations,) the effort of all lessons before each evaluation."""
    return efficiency.spent(run.rows, efficiency.EFFORTS[effort])


def _until_evaluation(rows: list[records.Row], count: int) -> list[records.Row]:
    """Return the rows up to the count-th evaluation."""
    places = [place for place, row in enumerate(rows) if row["kind"] == "evaluation"]
    return rows[: places[count - 1] + 1]


def _last_event(run: runs.Run) -> float:
    evaluations = records.of_kind(run.rows, "evaluation")
    return float(evaluations[-1]["event"]) if evaluations else -1.0
