"""The look of all figures, and how they become files; no pyplot, so no global state."""

from __future__ import annotations

import contextlib
import io
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib import axes, figure

# Okabe and Ito, "Color Universal Design" (2008): told apart with any colour vision.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY, DARK_GREY = "#8A8A8A", "#595959"
WINE = "#882255"  # Tol, "Colour schemes" (2021): an eighth beside those of Okabe and Ito
DPI = 150
_SHOWN = 28  # characters of a name

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # a task called "a$b$" is a name, not a formula
    "svg.hashsalt": "fastslow",  # the same figure, the same bytes
    "pdf.fonttype": 42,  # whole fonts: text can be searched and edited
}
_PRINT: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.8,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "hatch.linewidth": 0.6,
}
_UNDATED: Any = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
SINGLE, DOUBLE = 3.4, 7.0  # inches: widths of one and of two columns of a printed page
PRINT_DPI = 300
_MAX_COLUMNS = 3
FORMATS = ("png", "svg", "pdf")


class Picture(NamedTuple):
    """A figure with its file name (without ending), its title and what there is to see."""

    name: str
    title: str
    caption: str
    figure: figure.Figure


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Apply the look to every figure made inside."""
    with matplotlib.rc_context(_STYLE):
        yield


def new(
    width: float, height: float, rows: int = 1, columns: int = 1, share: bool = False
) -> tuple[figure.Figure, list[axes.Axes]]:
    """Return a figure of so many inches and its axes, row by row."""
    drawn = figure.Figure(figsize=(width, height), layout="constrained")
    grid = drawn.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    return drawn, list(np.ravel(grid))


def grid(count: int, height: float) -> tuple[figure.Figure, list[axes.Axes]]:
    """Return a figure two columns wide with `count` panels of so many inches, all axes shared.

    At most three panels stand side by side; where a row is not full, the panels above the gap name
    their places.
    """
    columns = side_by_side(count)
    rows = math.ceil(count / columns)
    drawn, panels = new(DOUBLE, 0.6 + height * rows, rows, columns, share=True)
    for panel in panels[count:]:
        panel.set_visible(False)
    for panel in panels[count - columns : count]:
        panel.tick_params(labelbottom=True)
    return drawn, panels[:count]


def side_by_side(count: int) -> int:
    """Return how many of `count` panels stand in a row of a grid."""
    return math.ceil(count / math.ceil(count / _MAX_COLUMNS))


@contextlib.contextmanager
def print_style() -> Iterator[None]:
    """Apply the look of figures for print: made at their true size, no text below 7 points."""
    with style(), matplotlib.rc_context(_PRINT):
        yield


def to_png(drawn: figure.Figure) -> bytes:
    """Return the figure as a PNG file, the same bytes for the same figure."""
    with style():
        return encode(drawn, "png", DPI)


def encode(drawn: figure.Figure, kind: str, dpi: int = PRINT_DPI) -> bytes:
    """Return the figure as a file of one of FORMATS, the same bytes for the same figure."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format=kind, dpi=dpi, metadata=_UNDATED[kind])
    return buffer.getvalue()


def short(name: str) -> str:
    """Cut a long name to fit beside an axis: in its middle, as names may start or end the same."""
    if len(name) <= _SHOWN:
        return name
    end = (_SHOWN - 1) // 2
    return f"{name[: _SHOWN - 1 - end]}…{name[-end:]}"


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move label heights apart, as little as needed from below, to keep `gap` between them."""
    placed = list(heights)
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    for below, above in itertools.pairwise(order):
        placed[above] = max(placed[above], placed[below] + gap)
    return placed


def score_axis(axis: axes.Axes, label: str = "Score (0 to 1)") -> None:
    """Set up a y axis for scores."""
    axis.set_ylim(-0.03, 1.03)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axis.set_ylabel(label)
