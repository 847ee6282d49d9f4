"""Name the methods in a figure: at the ends of their lines where they fit, else in a legend."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib import axes, figure, lines, text

from fastslow.report import figures, looks, panels, wording
from fastslow.report.comparison import comparing, groups

_KEY, _CHARACTER, _LEGEND_ROW = 0.5, 0.052, 0.16  # inches that a legend's entries take
_SIZE, _LINE = 7.0, 8.5  # points: of labels, and from one to the next
_MOVED = 4.0  # points that a name may stand above the end of its line
_LONGEST = 26  # characters of a name beside a panel
_PLACES = (("left", "bottom"), ("left", "top"), ("right", "bottom"), ("right", "top"))


def methods(
    drawn: figure.Figure, grid: Sequence[axes.Axes], comparison: comparing.Comparison
) -> None:
    """Name the methods, with the number of runs of each.

    At the ends of their lines (labelled by method), beside the lowest panel at the right edge where
    the lines end together and far enough apart; above all panels if there is none.
    """
    named = {method.label: counted(method) for method in comparison.methods if method.runs}
    edge = [p for p in grid if (spec := p.get_subplotspec()) and spec.is_last_col()]
    if not any(_name_ends(drawn, panel, named) for panel in reversed(edge)):
        legend(drawn, comparison)


def legend(drawn: figure.Figure, comparison: comparing.Comparison) -> None:
    """Name the methods above the panels, with the number of runs of each."""
    assigned = looks.assign(method.label for method in comparison.methods)
    handles = [
        lines.Line2D([], [], label=counted(method), **looks.line(assigned[method.label]))
        for method in comparison.methods
        if method.runs
    ]
    longest = max((len(str(handle.get_label())) for handle in handles), default=1)
    columns = max(1, int(drawn.get_figwidth() / (_KEY + _CHARACTER * longest)))
    rows = math.ceil(len(handles) / columns)
    drawn.set_figheight(drawn.get_figheight() + _LEGEND_ROW * (rows - 1))
    drawn.legend(handles=handles, loc="outside upper center", ncols=columns, handlelength=3)


def reference(
    drawn: figure.Figure, levels: Sequence[tuple[axes.Axes, lines.Line2D]], name: str
) -> None:
    """Label reference lines once, where the label crosses no other line, else at the first."""
    drawn.draw_without_rendering()  # places depend on the layout
    for (panel, line), (side, above) in itertools.product(levels, _PLACES):
        written = _beside(panel, line, name, side, above)
        if not _crossed(written, (other for other in panel.lines if other is not line)):
            return
        written.remove()
    if levels:
        _beside(*levels[0], name, *_PLACES[0])


def counted(method: groups.Method) -> str:
    """Return the name of a method with its number of runs."""
    return f"{method.label} ({wording.count(len(method.runs), 'run')})"


def _name_ends(drawn: figure.Figure, panel: axes.Axes, named: Mapping[str, str]) -> bool:
    """Write names beside the panel, at the ends of its lines, and return whether they fit."""
    by_label = {str(line.get_label()): line for line in panel.lines if line.get_label() in named}
    together = len({float(np.asarray(line.get_xdata())[-1]) for line in by_label.values()}) == 1
    longest = max(map(len, named.values()), default=0)
    if by_label.keys() != named.keys() or not together or longest > _LONGEST:
        return False
    drawn.draw_without_rendering()  # heights depend on the layout
    low, high = panel.get_ylim()
    point = (high - low) / (panel.bbox.height * 72 / drawn.dpi)
    heights = [_height(line, -1) for line in by_label.values()]
    moves = np.subtract(figures.spread(heights, _LINE * point), heights)
    if max(moves) > _MOVED * point:
        return False
    ends = [(h, named[label], figures.BLACK) for h, label in zip(heights, by_label, strict=True)]
    panels.name_ends(panel, ends, _LINE * point, away=3, fontsize=_SIZE)
    return True


def _beside(panel: axes.Axes, line: lines.Line2D, name: str, side: str, above: str) -> text.Text:
    return panel.annotate(
        name,
        (0 if side == "left" else 1, _height(line, 0)),
        (3 if side == "left" else -3, 1.5 if above == "bottom" else -1.5),
        xycoords=panel.get_yaxis_transform(),
        textcoords="offset points",
        ha=side,
        va=above,
        color=figures.DARK_GREY,
        fontsize=_SIZE,
    )


def _crossed(written: text.Text, others: Iterable[lines.Line2D]) -> bool:
    """Return whether a line meets a text."""
    box = written.get_window_extent()
    paths = (line.get_transform().transform_path(line.get_path()) for line in others)
    return any(path.intersects_bbox(box, filled=False) for path in paths)


def _height(line: lines.Line2D, place: int) -> float:
    return float(np.asarray(line.get_ydata())[place])
