"""Figures of what was learned and forgotten: over lessons, steps and drift, and the matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import axes, ticker

from fastslow.metrics import matrix as matrices
from fastslow.report import figures, looks, overview, panels, records

_MAX_NAMED_LINES = len(looks.LOOKS)
_MAX_WRITTEN_CELLS = 400
_MAX_NAMED_POINTS = 40
_MAX_INCHES = 8.0
_MAX_MARKED = 25  # points of a line, beyond which markers would touch


def forgetting(matrix: matrices.AccuracyMatrix, rows: Sequence[records.Row]) -> figures.Picture:
    """Draw one panel per task: its score over the lessons, shaded where it was taught itself."""
    lessons = [row["task"] for row in records.of_kind(rows, "lesson")]
    counts = overview.lessons_before_evaluations(rows)
    columns = 1 if len(matrix.task_names) <= 4 else 2
    height = math.ceil(len(matrix.task_names) / columns)
    drawn, grid = figures.new(7.2, 0.9 + 1.35 * height, height, columns, share=True)
    for panel in grid[len(matrix.task_names) :]:
        panel.set_visible(False)
    for name, scores, panel in zip(matrix.task_names, matrix.scores.T, grid, strict=False):
        panels.shade_lessons(panel, lessons, name, figures.ORANGE, alpha=0.22)
        _known_line(panel, counts, scores, figures.BLUE)
        figures.score_axis(panel, "Score")
        panel.set_title(figures.short(name), loc="left")
        panel.set_xlim(-0.1, max(len(lessons), 1) + 0.25)
        panel.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    drawn.supxlabel("Lessons taught so far (all tasks)", fontsize=9)
    caption = "Test score of each task (0 to 1); shaded: lessons of that task itself."
    return figures.Picture("forgetting", "Forgetting curves", caption, drawn)


def accuracy_matrix(
    matrix: matrices.AccuracyMatrix, rows: Sequence[records.Row]
) -> figures.Picture:
    """Draw the accuracy matrix as a heat map: time downwards, one column per task."""
    points, tasks = matrix.scores.shape
    height = min(0.28 * max(points, 3), _MAX_INCHES)
    width = min(0.8 * max(tasks, 3), _MAX_INCHES)
    drawn, (panel,) = figures.new(2.6 + width, 1.6 + height)
    image = panels.heat(panel, matrix.scores, matrix.task_names, _point_names(matrix, rows))
    if matrix.scores.size <= _MAX_WRITTEN_CELLS:
        panels.write_cells(panel, matrix.scores)
    panel.set_xlabel("Task evaluated")
    panel.set_ylabel("Evaluation point")
    drawn.colorbar(image, ax=panel, label="Score (0 to 1)", shrink=0.8)
    caption = "Time runs downwards from the untouched model; a dash was not evaluated."
    return figures.Picture("accuracy_matrix", "Accuracy matrix", caption, drawn)


def learning(matrix: matrices.AccuracyMatrix, rows: Sequence[records.Row]) -> figures.Picture:
    """Draw scores against slow steps; a vertical move is what the fast channel did alone."""
    steps = [row["slow_steps"] for row in records.of_kind(rows, "evaluation")]
    drawn, (panel,) = figures.new(7.2, 3.6)
    if rewards := overview.step_rewards(rows):
        label = "reward on a step's own rollouts (noisy)"
        panel.plot(*zip(*rewards, strict=True), ".", color="#BBBBBB", label=label)
    _task_lines(panel, matrix, steps)
    whole = ~np.isnan(matrix.scores).any(axis=1)  # a mean over other tasks is not comparable
    means = matrix.scores[whole].mean(axis=1)
    places = np.array(steps)[whole]
    panel.plot(places, means, "o-", color=figures.BLACK, lw=2.2, label="mean of all tasks")
    figures.score_axis(panel)
    panel.set_xlabel("Slow steps so far (weight updates tried)")
    panel.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    panel.legend(loc="upper left", bbox_to_anchor=(0, 1.12), ncols=2)
    caption = "Score against slow steps; a vertical move was made by the prompts alone."
    return figures.Picture("learning", "Learning curve", caption, drawn)


def drift(rows: Sequence[records.Row]) -> figures.Picture | None:
    """Draw mean score against drift, one panel per direction; None if no drift was measured."""
    points = overview.drift_points(rows)
    if not any(math.isfinite(value) for point in points for value in point.drift.values()):
        return None
    drawn, grid = figures.new(7.2, 3.4, 1, 2)
    scores = [point.score for point in points]
    looks = {"with_prompt": ("o-", figures.BLUE), "without_prompt": ("s--", figures.VERMILION)}
    for direction, panel in zip(overview.DIRECTIONS, grid, strict=True):
        for condition, (look, colour) in looks.items():
            values = [point.drift[condition, direction] for point in points]
            if not np.isnan(values).all():
                label = overview.CONDITIONS[condition]
                panel.plot(values, scores, look, color=colour, label=label)
                panel.plot(values[-1], scores[-1], "*", color=colour, ms=13, mec="white")
        figures.score_axis(panel, "Mean score (0 to 1)")
        panel.set_xlabel(f"{overview.DIRECTIONS[direction]} (nats per token)")
        panel.set_xlim(left=0)
    grid[0].legend(loc="lower right")
    caption = (
        "Points are evaluations of all tasks, joined in time, the last one a star; up and to the "
        "left is better."
    )
    return figures.Picture("drift", "Reward against drift from the base model", caption, drawn)


def _known_line(panel: axes.Axes, x: Sequence[float], scores: np.ndarray, colour: str) -> None:
    """Draw the known points, joined across unknown ones, with the last one written beside."""
    known = ~np.isnan(scores)
    if not known.any():
        return
    places, heights = np.array(x)[known], scores[known]
    marker = "o" if len(places) <= _MAX_MARKED else ""
    panel.plot(places, heights, "-", marker=marker, color=colour, clip_on=False)
    end, text = (places[-1], heights[-1]), f"{heights[-1]:.2f}"
    panel.annotate(text, end, (7, 0), textcoords="offset points", va="center")


def _point_names(matrix: matrices.AccuracyMatrix, rows: Sequence[records.Row]) -> list[str]:
    """Name every evaluation by what was taught since the one before; thin out if there are many."""
    counts = overview.lessons_before_evaluations(rows)
    every = math.ceil(len(counts) / _MAX_NAMED_POINTS)
    names = []
    for number, (count, trained) in enumerate(zip(counts, matrix.trained, strict=True)):
        since = ", ".join(sorted(trained))
        name = f"{count}: {since}" if since else str(count) if count else "0: untouched"
        names.append(figures.short(name) if number % every == 0 else "")
    return names


def _task_lines(panel: axes.Axes, matrix: matrices.AccuracyMatrix, steps: Sequence[int]) -> None:
    """Draw a thin line per task, named at its end while there are colours to tell them apart."""
    named = len(matrix.task_names) <= _MAX_NAMED_LINES
    ends = []
    for number, (name, scores) in enumerate(zip(matrix.task_names, matrix.scores.T, strict=True)):
        known = np.flatnonzero(~np.isnan(scores))
        look = looks.line(looks.LOOKS[number]) if named else {"color": "#CCCCCC", "marker": "."}
        label = "each task" if not named and number == 0 else None
        panel.plot(
            np.array(steps)[known], scores[known], **look, ms=4, lw=1, alpha=0.8, label=label
        )
        if named and known.size:
            ends.append((scores[known[-1]], figures.short(name), look["color"]))
    panels.name_ends(panel, ends, gap=0.065)
