"""Names beside lines: at their ends where these are apart, in a legend where they are not."""

import numpy as np
import pytest
from matplotlib import text

from fastslow.evaluation import constant
from fastslow.report import figures, records
from fastslow.report.comparison import comparing, curves, labels
from tests.report.comparison import synthetic

NAMES = ["fast_only (1 run)", "interleave (1 run)", "slow_only (1 run)"]
APART = {"fast_only": 0.2, "interleave": 0.5, "slow_only": 0.8}
CLOSE = {"fast_only": 0.2, "interleave": 0.5, "slow_only": 0.51}


@pytest.fixture
def comparison(tmp_path):
    for name in APART:
        synthetic.write(tmp_path / name, name)
    return comparing.compare([str(tmp_path / "*")])


@pytest.fixture(autouse=True)
def _style():
    with figures.print_style():
        yield


def _drawn(comparison, ends, places=(0, 1)):
    figure, grid = figures.grid(3, 1.65)
    for panel in grid:
        for label, end in ends.items():
            panel.plot(places, [0, end], label=label)
        panel.set_ylim(0, 1)
    labels.methods(figure, grid, comparison)
    return figure, grid


def _names(panel):
    return {t.get_text(): t.xy[1] for t in panel.texts}


def _in_legend(figure):
    return [t.get_text() for legend in figure.legends for t in legend.get_texts()]


def test_lines_that_end_apart_are_named_at_their_ends(comparison):
    figure, grid = _drawn(comparison, APART)
    assert [_names(panel) for panel in grid[:2]] == [{}, {}]
    heights = _names(grid[2])
    assert sorted(heights) == NAMES
    assert list(heights.values()) == pytest.approx([0.2, 0.5, 0.8])
    assert not figure.legends


def test_lines_that_end_close_together_are_named_in_a_legend(comparison):
    figure, grid = _drawn(comparison, CLOSE)
    assert not any(panel.texts for panel in grid)
    assert _in_legend(figure) == NAMES


def test_a_line_that_is_missing_or_ends_early_or_a_long_name_makes_a_legend(comparison, tmp_path):
    missing, _ = _drawn(comparison, {"fast_only": 0.2, "interleave": 0.5})
    assert _in_legend(missing) == NAMES
    early, grid = figures.grid(1, 1.65)
    for number, (label, end) in enumerate(APART.items()):
        grid[0].plot([0, number], [0, end], label=label)
    labels.methods(early, grid, comparison)
    assert _in_legend(early) == NAMES
    name = "a scheduler with a rather long name"
    habits = synthetic.METHODS["interleave"]
    synthetic.write(tmp_path / "long" / "a", name, habits=habits)
    long, _ = _drawn(comparing.compare([str(tmp_path / "long" / "*")]), {name: 0.5})
    assert _in_legend(long) == [f"{name} (1 run)"]


def test_names_do_not_overlap_nor_leave_the_figure(comparison):
    figure, grid = _drawn(comparison, {"fast_only": 0.2, "interleave": 0.5, "slow_only": 0.57})
    figure.draw_without_rendering()
    boxes = sorted((t.get_window_extent() for t in grid[2].texts), key=lambda box: box.y0)
    assert len(boxes) == 3
    assert all(np.diff([box.y0 for box in boxes]) > 0.9 * boxes[0].height)
    assert all(box.x1 <= figure.bbox.x1 and box.x0 > grid[2].bbox.x1 for box in boxes)


def test_the_constant_answer_is_named_once_where_no_line_is(comparison, tmp_path):
    told = {name: constant.Constant("yes", 0.5) for name in synthetic.TASKS}
    records.append(
        tmp_path / "interleave", records.tasks_row(dict.fromkeys(told, ""), told), seconds=0.0
    )
    figure = curves.forgetting(comparing.compare([str(tmp_path / "*")])).figure
    (found,) = (t for t in figure.findobj(text.Text) if t.get_text() == "constant answer")
    figure.draw_without_rendering()
    box, panel = found.get_window_extent(), found.axes
    (level,) = (line for line in panel.lines if line.get_color() == figures.GREY)
    assert abs(box.y0 - panel.transData.transform((0, 0.5))[1]) < box.height
    for line in panel.lines:
        path = line.get_transform().transform_path(line.get_path())
        assert line is level or not path.intersects_bbox(box, filled=False)
