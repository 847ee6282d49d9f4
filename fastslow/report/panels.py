"""What several figures draw into a panel: lessons, corners, heat maps, stacked bars, names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import axes, image, ticker

from fastslow.report import figures, overview

OUTCOMES = {  # colour, marker, hatch (told apart without colour too): from most to least effect
    "changed": (figures.GREEN, "o", ""),
    "rejected": (figures.ORANGE, "X", "//////"),
    "failed": (figures.VERMILION, "v", "xxxxxx"),
    "skipped": ("#D0D0D0", ".", ""),
}
_CORNERS = {  # colour, hatch
    "base_seed": ("#BBBBBB", ""),
    "base_evolved": (figures.SKY, "////"),
    "trained_seed": (figures.ORANGE, "\\\\\\\\"),
    "trained_evolved": (figures.BLUE, ""),
}
_CORNER_BAR = 0.2  # of the room of a group of four
_UNKNOWN = "#EDEDED"


def shade_lessons(
    panel: axes.Axes, lessons: Sequence[str], task: str, colour: str, alpha: float
) -> None:
    """Shade where a task was taught; `lessons` is the task of every lesson."""
    for number, taught in enumerate(lessons):
        if taught == task:
            panel.axvspan(number, number + 1, color=colour, alpha=alpha, lw=0)


def name_lessons(panel: axes.Axes, lessons: Sequence[str] | None, most: int) -> None:
    """Label an axis of lessons 1, 2, ... with their tasks.

    With numbers alone if there are more than `most`, or None as runs differ in their lessons.
    """
    if lessons is None or len(lessons) > most:
        panel.set_xlabel("Lesson")
        panel.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        return
    panel.set_xlabel("Lesson and its task")
    names = [f"{number} {figures.short(task)}" for number, task in enumerate(lessons, 1)]
    places = range(1, len(lessons) + 1)
    panel.set_xticks(places, names, rotation=30, ha="right", rotation_mode="anchor")


def corner_bars(panel: axes.Axes, corner: str, scores: np.ndarray) -> np.ndarray:
    """Draw the bar of one corner in every group (groups,), and return their heights (groups,).

    Groups stand at 0, 1, 2, ... on the y axis, with the four corners beside each other.
    """
    colour, hatch = _CORNERS[corner]
    offset = list(overview.CORNERS).index(corner) - (len(overview.CORNERS) - 1) / 2
    places: np.ndarray = np.arange(len(scores)) + offset * _CORNER_BAR
    label = overview.CORNERS[corner]
    for bar in panel.barh(places, scores, 0.9 * _CORNER_BAR, color=colour, label=label, lw=0):
        bar.set(hatch=hatch, edgecolor="white")
    return places


def heat(
    panel: axes.Axes, scores: np.ndarray, tasks: Sequence[str], points: Sequence[str]
) -> image.AxesImage:
    """Draw scores (points, tasks) as a heat map with names, time downwards; NaN stays grey."""
    panel.set_facecolor(_UNKNOWN)
    shown = np.ma.masked_invalid(scores)
    drawn = panel.imshow(shown, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    panel.grid(visible=False)
    names = [figures.short(name) for name in tasks]
    panel.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    panel.set_yticks(range(len(points)), points)
    return drawn


def write_cells(panel: axes.Axes, scores: np.ndarray, size: float = 8) -> None:
    """Write the scores (points, tasks) into the cells of a heat map; a dash for NaN."""
    for (row, column), score in np.ndenumerate(scores):
        unknown = math.isnan(score)
        colour = "#777777" if unknown else "white" if score < 0.55 else "black"
        text = "–" if unknown else f"{score:.2f}"
        panel.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def stack(
    panel: axes.Axes,
    names: Sequence[str],
    parts: Mapping[str, np.ndarray],
    looks: Mapping[str, tuple[str, str]],
) -> np.ndarray:
    """Draw a horizontal bar per name, stacked of parts (names,); return the totals (names,).

    `looks`: colour and hatch of every part, by its label.
    """
    left = np.zeros(len(names))
    for label, values in parts.items():
        colour, hatch = looks[label]
        bars = panel.barh(list(names), values, left=left, color=colour, label=label, lw=0)
        for bar in bars:
            bar.set(hatch=hatch, edgecolor="white")
        left = left + values
    return left


def write_ends(
    panel: axes.Axes, values: Sequence[float], texts: Sequence[str], room: float = 0.3, **font: Any
) -> None:
    """Write beside each horizontal bar what it comes to, and make room for it."""
    for row, (value, text) in enumerate(zip(values, texts, strict=True)):
        panel.annotate(text, (value, row), (4, 0), textcoords="offset points", va="center", **font)
    panel.set_xlim(0, (1 + room) * max(*values, 1e-9))


def name_ends(
    panel: axes.Axes,
    ends: Sequence[tuple[float, str, str]],
    gap: float,
    away: float = 8,
    **font: Any,
) -> None:
    """Write names `away` points from the right edge, at (height, name, colour), `gap` apart."""
    heights = figures.spread([end[0] for end in ends], gap)
    for height, (_, name, colour) in zip(heights, ends, strict=True):
        panel.annotate(
            name,
            (1, height),
            (away, 0),
            xycoords=panel.get_yaxis_transform(),
            textcoords="offset points",
            color=colour,
            va="center",
            **font,
        )
