"""What several figures draw into a panel: heat maps, stacked bars, names beside lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import axes, image

from fastslow.report import figures

_UNKNOWN = "#EDEDED"


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
