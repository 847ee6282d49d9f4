"""Figures of a comparison over time: forgetting, learning, drift, prompts, matrices."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import axes, ticker

from fastslow.metrics import matrix as matrices
from fastslow.report import figures, looks, overview, panels, runs, wording
from fastslow.report.comparison import (
    comparing,
    groups,
    labels,
    measures,
    points,
    series,
    tables,
)

_MAX_WRITTEN_COLUMNS = 15  # of heat maps side by side, at print size
_TITLE = 28  # characters of a line above one of three panels
_SCALES = (0.25, 0.5, 0.75, 1.0)  # where a score axis may end
_SINGLE_RUN = 0.3  # opacity of a run behind its mean


def forgetting(comparison: comparing.Comparison) -> figures.Picture:
    """Draw one panel per task: the mean score of every method, with its interval."""
    names = tables.task_names(comparison)
    plan = series.common_plan(comparison.methods)
    constants = series.constants(comparison.methods)
    drawn, grid = figures.grid(len(names), 1.65)
    for name, panel in zip(names, grid, strict=False):
        if plan is not None:
            panels.shade_lessons(panel, plan, name, figures.BLACK, alpha=0.07)
        for method in comparison.methods:
            shifted = [_since_first(run, name, plan is not None) for run in method.runs]
            places, values = series.align(shifted)
            _line(panel, comparison, method, places, values)
        panel.set_title(figures.short(name), loc="left")
        panel.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    _score_axes(grid[: len(names)])
    when, explanation = "Lessons taught so far (all tasks)", "shaded: lessons of that task"
    if plan is None:
        when = "Lessons of any task since the task's first"
        explanation = (
            "runs have other orders: between its evaluations one counts as on the line between "
            "them, and what only one run of a method has is left out"
        )
    drawn.supxlabel(when, fontsize=8)
    drawn.supylabel("Test score (0 to 1)", fontsize=8)
    levels = [
        (panel, panel.axhline(constants[name], color=figures.GREY, lw=0.8, zorder=1))
        for name, panel in zip(names, grid, strict=False)
        if not math.isnan(constants.get(name, math.nan))
    ]
    labels.methods(drawn, grid[: len(names)], comparison)
    labels.reference(drawn, levels, "constant answer")
    explanation += "; grey line: the best constant answer" if levels else ""
    caption = f"Test score of each task, mean and 95% interval; {explanation}."
    return figures.Picture("forgetting", "Forgetting curves", caption, drawn)


def accuracy_matrices(comparison: comparing.Comparison) -> figures.Picture | None:
    """Draw the mean accuracy matrices side by side; None where nothing or no one plan was taught.

    Runs that teach the tasks in other orders are averaged by position: first task, second task. All
    matrices have the same rows; those that a method did not get to are not known.
    """
    shown = [method for method in comparison.methods if method.runs]
    if _evaluations(shown) < 2:
        return None  # the untouched model alone
    by_name = series.common_plan(shown)
    names = tables.task_names(comparison)
    numbered = [[_numbers(run, names) for run in method.runs] for method in shown]
    plan = max((one for of_method in numbered for one in of_method), key=len, default=[])
    if any(one != plan[: len(one)] for of_method in numbered for one in of_method):
        return None
    columns = names if by_name else [f"task {number + 1}" for number in range(len(names))]
    drawn, grid = figures.grid(len(shown), 0.75 + 0.2 * max(_evaluations(shown), 3))
    image, beside = None, figures.side_by_side(len(shown))
    means = [_mean_matrix(method, names, by_name is None) for method in shown]
    places = np.unique(np.concatenate([reached for reached, _ in means]))
    rows = [f"{p:.0f}: {columns[plan[int(p) - 1]]}" if p else "untouched" for p in places]
    for method, (reached, known), panel in zip(shown, means, grid, strict=True):
        scores = np.full((len(places), len(columns)), np.nan)
        scores[np.searchsorted(places, reached)] = known
        image = panels.heat(panel, scores, columns, [figures.short(row) for row in rows])
        if len(columns) * beside <= _MAX_WRITTEN_COLUMNS:
            panels.write_cells(panel, scores, 7)
        title = textwrap.wrap(labels.counted(method), _TITLE)
        panel.set_title("\n".join(title), loc="left")
    drawn.supxlabel("Task evaluated", fontsize=8)
    drawn.supylabel("Lessons taught: last task", fontsize=8)
    if image is not None:
        drawn.colorbar(image, ax=grid[: len(shown)], label="Score (0 to 1)", shrink=0.8)
    orders = "" if by_name else " Tasks are numbered as each run taught them."
    caption = f"Mean over runs; time runs downwards from the untouched model.{orders}"
    return figures.Picture("accuracy_matrices", "Accuracy matrices", caption, drawn)


def learning(comparison: comparing.Comparison) -> figures.Picture:
    """Draw the mean score of all tasks over slow steps and over every cost."""
    drawn, grid = figures.new(figures.DOUBLE, 4.4, 2, 2)
    for (effort, unit), panel in zip(points.UNITS.items(), grid, strict=True):
        for method in comparison.methods:
            _, values = series.align([series.mean_scores(run) for run in method.runs])
            spent = [series.by_lessons(run, points.spent(run, effort)) for run in method.runs]
            _, efforts = series.align(spent)
            _line(panel, comparison, method, efforts, values)
        panel.set_xlabel(f"{unit[0].upper()}{unit[1:]} spent in lessons")
        panel.xaxis.set_major_formatter(lambda value, _: wording.quantity(value))
        panel.locator_params(axis="x", nbins=6)
    _score_axes(grid)
    drawn.supylabel("Mean test score of all tasks (0 to 1)", fontsize=8)
    labels.methods(drawn, grid, comparison)
    caption = (
        "Mean score of all tasks with 95% interval, at the mean effort of the runs; "
        "evaluations are not counted as effort."
    )
    return figures.Picture("learning", "Learning curves at equal cost", caption, drawn)


def drift(comparison: comparing.Comparison) -> figures.Picture | None:
    """Draw mean score against drift, a panel per direction and condition; None without drift."""
    kinds = [
        (condition, direction)
        for condition in overview.CONDITIONS
        for direction in overview.DIRECTIONS
        if _has_drift(comparison, condition, direction)
    ]
    if not kinds:
        return None
    rows = math.ceil(len(kinds) / 2)
    drawn, grid = figures.new(figures.DOUBLE, 0.5 + 2.1 * rows, rows, 2)
    for (condition, direction), panel in zip(kinds, grid, strict=False):
        for method in comparison.methods:
            _trajectories(panel, comparison, method, (condition, direction))
        kind = f"{overview.DIRECTIONS[direction]}, {overview.CONDITIONS[condition]}"
        panel.set_xlabel(f"{kind} (nats per token)")
        panel.set_xlim(left=0)
    _score_axes(grid)
    drawn.supylabel("Mean test score of all tasks (0 to 1)", fontsize=8)
    labels.legend(drawn, comparison)
    caption = (
        "Every evaluation of all tasks, joined in time: mean over runs, single runs faint, 95% "
        "intervals at the end. Up and to the left is better."
    )
    return figures.Picture("drift", "Reward against drift from the base model", caption, drawn)


def prompts(comparison: comparing.Comparison) -> figures.Picture | None:
    """Draw the length of the best prompt over lessons; None if no prompt was written down."""
    by_method = [[_prompt_lengths(run) for run in method.runs] for method in comparison.methods]
    if not any(lengths for of_method in by_method for lengths in of_method):
        return None
    drawn, (panel,) = figures.new(figures.SINGLE, 2.7)
    for method, lengths in zip(comparison.methods, by_method, strict=True):
        _line(panel, comparison, method, *series.align(lengths))
    panel.set_ylim(bottom=0)
    panel.set_xlabel("Lessons taught so far (all tasks)")
    panel.set_ylabel("Characters of the best prompt")
    panel.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    labels.methods(drawn, [panel], comparison)
    caption = "Length of the best prompt as written down, mean over tasks, 95% interval."
    return figures.Picture("prompts", "Growth of the prompts", caption, drawn)


def _line(
    panel: axes.Axes,
    comparison: comparing.Comparison,
    method: groups.Method,
    places: np.ndarray,
    values: np.ndarray,
) -> None:
    """Draw the mean of values (runs, places) with its band."""
    drawn = series.band(comparison, method, places, values)
    known = ~np.isnan(drawn.mean)
    if not known.any():
        return
    look = looks.assign(m.label for m in comparison.methods)[method.label]
    style = {**looks.line(look), "label": method.label, "clip_on": False, "zorder": 3}
    panel.plot(drawn.places[known], drawn.mean[known], **style)
    panel.fill_between(drawn.places, drawn.low, drawn.high, color=look.colour, alpha=0.16, lw=0)


def _trajectories(
    panel: axes.Axes,
    comparison: comparing.Comparison,
    method: groups.Method,
    kind: tuple[str, str],
) -> None:
    """Draw the way of a method through the plane of drift and score."""
    look = looks.assign(m.label for m in comparison.methods)[method.label]
    _, scores = series.align([series.mean_scores(run) for run in method.runs])
    _, drifts = series.align([series.drifts(run, *kind) for run in method.runs])
    known = ~np.isnan(scores) & ~np.isnan(drifts)
    scores, drifts = np.where(known, scores, np.nan), np.where(known, drifts, np.nan)
    if len(method.runs) > 1:
        panel.plot(drifts.T, scores.T, color=look.colour, lw=0.7, alpha=_SINGLE_RUN)
    up = series.band(comparison, method, drifts, scores)
    across = series.band(comparison, method, scores, drifts)
    if not len(up.mean):
        return
    panel.plot(across.mean, up.mean, **looks.line(look), zorder=3, clip_on=False)
    if len(method.runs) > 1:
        x, y = across.mean[-1], up.mean[-1]
        bars = (
            [[x - across.low[-1]], [across.high[-1] - x]],
            [[y - up.low[-1]], [up.high[-1] - y]],
        )
        panel.errorbar(x, y, bars[1], bars[0], color=look.colour, lw=0.9, capsize=1.5, zorder=2)


def _has_drift(comparison: comparing.Comparison, condition: str, direction: str) -> bool:
    return any(
        math.isfinite(value)
        for method in comparison.methods
        for run in method.runs
        for value in series.drifts(run, condition, direction).values()
    )


def _since_first(run: runs.Run, task: str, absolute: bool) -> series.Series:
    """Return the scores of a task by lessons taught; `absolute`, or since the task's first."""
    lessons = runs.taught(run)
    first = 0 if absolute or task not in lessons else lessons.index(task)
    return {place - first: score for place, score in series.task_scores(run, task).items()}


def _prompt_lengths(run: runs.Run) -> series.Series:
    lengths = measures.best_prompts(run)
    events = matrices.from_records(run.rows).events
    values = np.array([lengths.get(event, float("nan")) for event in events])
    return {
        place: value for place, value in series.by_lessons(run, values).items() if value == value
    }


def _mean_matrix(
    method: groups.Method, names: Sequence[str], by_position: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return lessons taught (rows,) and the mean score over runs (rows, tasks)."""
    orders = [_in_order(run, names) if by_position else names for run in method.runs]
    aligned = [
        series.align(
            [
                series.task_scores(run, order[column])
                for run, order in zip(method.runs, orders, strict=True)
            ]
        )
        for column in range(len(names))
    ]
    means = [[matrices.mean(column) for column in values.T] for _, values in aligned]
    return aligned[0][0], np.array(means).T


def _in_order(run: runs.Run, names: Sequence[str]) -> list[str]:
    """Return the tasks as the run taught them, then those it never taught."""
    return list(dict.fromkeys((*runs.taught(run), *names)))


def _numbers(run: runs.Run, names: Sequence[str]) -> list[int]:
    """Return per lesson the number of its task, in the order in which the run taught them."""
    order = _in_order(run, names)
    return [order.index(task) for task in runs.taught(run)]


def _evaluations(methods: Sequence[groups.Method]) -> int:
    return max(len(series.mean_scores(run)) for method in methods for run in method.runs)


def _score_axes(grid: Sequence[axes.Axes]) -> None:
    """End all score axes at the same round value that nothing drawn exceeds, bands cut at 1."""
    highest = max((panel.dataLim.y1 for panel in grid if panel.lines), default=1.0)
    end = next((scale for scale in _SCALES if highest <= scale), 1.0)
    for panel in grid:
        panel.set_ylim(-0.03 * end, 1.03 * end)
        panel.yaxis.set_major_locator(ticker.MaxNLocator(5))
