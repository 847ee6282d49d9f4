import numpy as np
import pytest

from fastslow import types
from fastslow.report import figures, records
from fastslow.report.comparison import bars, comparing
from tests.report.comparison import synthetic


def test_the_timeline_shows_the_share_of_runs(comparison):
    with figures.print_style():
        (panel,) = bars.timeline(comparison).figure.axes
    labels = [t.get_text() for t in panel.get_yticklabels()]
    heights: dict[tuple[str, int], list[float]] = {}
    for bar in panel.patches:
        lane = labels[
            int(np.argmin(np.abs(panel.get_yticks() - (bar.get_y() + bar.get_height() / 2))))
        ]
        lesson = round(bar.get_x() + bar.get_width() / 2)
        heights.setdefault((lane, lesson), []).append(abs(bar.get_height()) / 0.9)
    method = next(m for m in comparison.methods if m.label == "fast_only")
    outcomes = [
        [row["absorbed"][0]["outcome"] for row in run.rows if row["kind"] == "lesson"]
        for run in method.runs
    ]
    changed = [sum(one[1] == "changed" for one in outcomes) / 3]
    wanted = sorted(share for share in (*changed, 1 - changed[0]) if share)
    assert sorted(heights["fast_only  fast", 2]) == pytest.approx(wanted)
    assert heights["fast_only  slow", 2] == pytest.approx([1])


def test_quadrants_and_costs_are_as_long_as_the_means(comparison):
    with figures.print_style():
        quadrants, costs = bars.quadrants(comparison), bars.costs(comparison)
    average, first, *_ = quadrants.figure.axes
    assert first.get_title("left") == "sentiment"
    both = next(c for c in first.containers if c.get_label() == "weights only")
    labels = [t.get_text() for t in first.get_yticklabels()] or [
        m.label for m in comparison.methods
    ]
    place = [m.label for m in comparison.methods].index("interleave")
    assert both[place].get_width() == pytest.approx(0.02 + 0.35 * 0.8)
    assert labels
    assert average.get_title("left") == "average of tasks"
    for line in first.lines:  # intervals end where scores do: beyond stands the number
        assert 0 <= min(line.get_xdata()) <= max(line.get_xdata()) <= 1
    tokens = costs.figure.axes[0]
    slow = next(c for c in tokens.containers if c.get_label() == "slow")
    assert slow[place].get_width() == pytest.approx(6 * 9_300)
    evaluations = next(c for c in tokens.containers if c.get_label() == "evaluation")
    assert evaluations[place].get_width() == pytest.approx(4 * 10_000 + 9_700)


def test_what_deciding_costs_is_drawn_too(tmp_path):
    habits = synthetic.METHODS["interleave"]._replace(deciding=types.Cost(500, 100))
    synthetic.write(tmp_path / "a", habits=habits)
    synthetic.write(tmp_path / "b", "slow_only")
    with figures.print_style():
        tokens = bars.costs(comparing.compare([str(tmp_path / "*")])).figure.axes[0]
    bar = next(c for c in tokens.containers if c.get_label() == "deciding")
    assert [one.get_width() for one in bar] == [6 * 600, 0]


def test_quadrants_that_only_some_runs_have_are_not_drawn(directory):
    whole = comparing.compare([str(directory / "*")])
    with figures.print_style():
        assert bars.quadrants(whole) is not None
        method = whole.methods[0]
        cut = method.runs[0]._replace(rows=records.of_kind(method.runs[0].rows, "evaluation"))
        some = whole._replace(methods=(method._replace(runs=(cut, *method.runs[1:])),))
        assert bars.quadrants(some) is None
