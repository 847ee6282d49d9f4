"""The tables of a comparison, as text cells for people and as flat rows for programs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from fastslow.metrics import matrix as matrices
from fastslow.metrics import statistics
from fastslow.report import runs, table, wording
from fastslow.report.comparison import comparing, groups, measures, points, series

_SUMMARY = (
    "average_accuracy",
    "learning_accuracy",
    "forgetting",
    "backward_transfer",
    "forward_transfer",
)


def every(comparison: comparing.Comparison) -> list[table.Table]:
    """Return all tables that there is something to show in."""
    shown = [summary(comparison), by_task(comparison), estimates(comparison)]
    if comparison.baseline is not None:
        shown += [differences(comparison), efforts(comparison)]
    return [*(one for one in shown if one.rows), listed(comparison)]


def summary(comparison: comparing.Comparison) -> table.Table:
    """Return the metrics over all tasks, a method per row, with their intervals."""
    names = [name for name in _SUMMARY if name in comparison.measures]
    arrows = {"higher": "↑", "lower": "↓"}
    header = [
        _two_lines(measures.MEASURES[n].title, arrows[measures.MEASURES[n].better]) for n in names
    ]
    body = tuple(
        (
            method.label,
            str(len(method.runs)),
            *(_cell(comparison, method, measures.MEASURES[name]) for name in names),
        )
        for method in comparison.methods
    )
    title = f"Summary {comparison.point}: mean and 95% interval"
    return table.Table(title, ("Method", "Runs", *header), body if names else ())


def by_task(comparison: comparing.Comparison) -> table.Table:
    """Return the last score of every task, a method per row."""
    names = task_names(comparison)
    body = tuple(
        (
            method.label,
            *(
                _interval_cell(
                    comparison.estimate(
                        comparing.values(method, functools.partial(last_score, name))
                    ),
                    wording.score,
                )
                for name in names
            ),
        )
        for method in comparison.methods
    )
    constant = series.constants(comparison.methods)
    scores = (wording.score(constant.get(name)) for name in names)
    footer = ("best constant answer", *scores) if constant else ()
    title = f"Score of each task {comparison.point}: mean and 95% interval"
    return table.Table(title, ("Method", *names), body if names else (), footer)


def estimates(comparison: comparing.Comparison) -> table.Table:
    """Return every measure of every method with its standard error and interval."""
    header = ("Measure", "Better", "Method", "n", "Mean", "Std. error", "95% interval")
    body = []
    for name in comparison.measures:
        measure = measures.MEASURES[name]
        for number, method in enumerate(comparison.methods):
            estimate = _estimate(comparison, method, measure)
            error = measure.write_change(estimate.standard_error).lstrip("+")
            body.append(
                (
                    *(("", "") if number else (measure.title, measure.better)),
                    method.label,
                    str(estimate.size),
                    measure.write(estimate.mean),
                    wording.MISSING if math.isnan(estimate.standard_error) else error,
                    _bounds(estimate, measure.write),
                )
            )
    return table.Table(f"Measures {comparison.point}", header, tuple(body), texts=3)


def differences(comparison: comparing.Comparison) -> table.Table:
    """Return method - baseline, over runs of the same seeds, and what can be concluded."""
    header = ("Measure", "Method", "n", "Difference", "Std. error", "95% interval", "Reads")
    body = []
    for name in comparison.measures:
        measure = measures.MEASURES[name]
        for number, method in enumerate(_others(comparison)):
            difference = comparing.difference(comparison, method, measure.of)
            error = measure.write_change(difference.standard_error).lstrip("+")
            body.append(
                (
                    "" if number else measure.title,
                    method.label,
                    str(difference.size),
                    measure.write_change(difference.mean) if difference.size else wording.MISSING,
                    wording.MISSING if math.isnan(difference.standard_error) else error,
                    _bounds(difference, measure.write_change),
                    verdict(difference, measure),
                )
            )
    title = f"Difference from {comparison.baseline} {comparison.point}, by pairs of runs"
    return table.Table(title, header, tuple(body), texts=2)


def verdict(estimate: statistics.Estimate, measure: measures.Measure) -> str:
    """Say what an interval of a difference says: better, worse, no difference seen, or nothing.

    Scores that differ by the same in every pair have an interval without width, which a few coarse
    values do not deserve: it decides nothing. Steps and tokens are exact.
    """
    if math.isnan(estimate.low):
        return wording.MISSING
    if estimate.low == estimate.high == 0:
        return "equal"
    if estimate.low <= 0 <= estimate.high or (measure.of_answers and estimate.low == estimate.high):
        return "undecided"
    return "better" if (estimate.mean > 0) == (measure.better == "higher") else "worse"


def efforts(comparison: comparing.Comparison) -> table.Table:
    """Return what each method needed to reach the baseline's best average score."""
    header = ("Method", "Pairs", "Reached", *(_title(unit) for unit in points.UNITS.values()))
    body = []
    for method in comparison.methods:
        needed = [comparing.effort_to_baseline(comparison, method, unit) for unit in points.UNITS]
        cells = (_effort_cell(one) for one in needed)
        body.append((method.label, str(needed[0].pairs), str(needed[0].reached), *cells))
    title = (
        f"To the best average score of {comparison.baseline}: median, and as a multiple of its own"
    )
    return table.Table(title, header, tuple(body))


def listed(comparison: comparing.Comparison) -> table.Table:
    """Return every run that was found, and whether it counts."""
    body = tuple(
        (
            one.run.directory.name,
            one.label,
            *map(str, one.run.seeds),
            "complete" if one.run.done else "unfinished",
            f"left out: {one.left_out}" if one.left_out else "counts",
        )
        for one in comparison.listed
    )
    header = ("Run", "Method", "Seed", "Order seed", "State", "In the means")
    return table.Table("Runs", header, body, texts=6)


def flat(comparison: comparing.Comparison) -> list[dict[str, Any]]:
    """Return every estimate in full: one row per method and measure, for CSV."""
    rows = []
    for name in comparison.measures:
        measure = measures.MEASURES[name]
        for method in comparison.methods:
            estimate = _estimate(comparison, method, measure)
            row = {
                "method": method.label,
                "measure": name,
                "unit": measure.unit,
                "better": measure.better,
                "point": str(comparison.point),
                "interval": comparison.interval,
                **_named(estimate, ""),
            }
            if comparison.baseline not in (None, method.label):
                paired = comparing.difference(comparison, method, measure.of)
                row |= {"baseline": comparison.baseline, **_named(paired, "difference_")}
            rows.append(row)
    return rows


def task_names(comparison: comparing.Comparison) -> list[str]:
    """Return every task that was evaluated, in the order of the first run that has them."""
    return list(
        dict.fromkeys(
            name
            for method in comparison.methods
            for run in method.runs
            for name in matrices.from_records(run.rows).task_names
        )
    )


def _named(estimate: statistics.Estimate, prefix: str) -> dict[str, float]:
    return {f"{prefix}{name}": value for name, value in estimate._asdict().items()}


def _others(comparison: comparing.Comparison) -> list[groups.Method]:
    return [m for m in comparison.methods if m.label != comparison.baseline]


def _estimate(
    comparison: comparing.Comparison, method: groups.Method, measure: measures.Measure
) -> statistics.Estimate:
    return comparison.estimate(comparing.values(method, measure.of))


def _cell(
    comparison: comparing.Comparison, method: groups.Method, measure: measures.Measure
) -> str:
    return _interval_cell(_estimate(comparison, method, measure), measure.write)


def _interval_cell(estimate: statistics.Estimate, write: Callable[[float], str]) -> str:
    """Write "mean ± half width", "mean [low, high]" if it is askew, or the mean alone."""
    if math.isnan(estimate.low):
        return write(estimate.mean)
    above, below = estimate.high - estimate.mean, estimate.mean - estimate.low
    if math.isclose(above, below, abs_tol=1e-9):
        return f"{write(estimate.mean)} ± {write(above).lstrip('+')}"
    return f"{write(estimate.mean)} {_bounds(estimate, write)}"


def _bounds(estimate: statistics.Estimate, write: Callable[[float], str]) -> str:
    if math.isnan(estimate.low):
        return wording.MISSING
    return f"[{write(estimate.low)}, {write(estimate.high)}]"


def _effort_cell(needed: comparing.Effort) -> str:
    if math.isnan(needed.effort):
        return wording.MISSING
    if math.isinf(needed.effort):
        return "never"
    ratio = "" if math.isnan(needed.ratio) else f" ({needed.ratio:.2g}×)"
    return f"{wording.quantity(needed.effort)}{ratio}"


def last_score(task: str, run: runs.Run) -> float:
    """Return the last score of a task; NaN if the run does not know the task."""
    matrix = matrices.from_records(run.rows)
    if task not in matrix.task_names:
        return float("nan")
    known = matrix.scores[:, matrix.task_names.index(task)]
    return float(known[-1])


def _title(unit: str) -> str:
    return unit[0].upper() + unit[1:]


def _two_lines(title: str, arrow: str) -> str:
    first, _, rest = title.partition(" ")
    return f"{first}\n{rest} {arrow}" if rest else f"{title} {arrow}"
