import csv
import io
import re
import struct
import warnings
import xml.etree.ElementTree as xml

import numpy as np
import pytest
import rich.console
from matplotlib import text

from fastslow import learner, types
from fastslow.evaluation import constant
from fastslow.report import figures, looks, records, runs
from fastslow.report.comparison import bars, comparing, curves, measures, series, tables, writing
from tests.report.comparison import synthetic

NAMES = (
    "forgetting",
    "accuracy_matrices",
    "learning",
    "drift",
    "prompts",
    "channels",
    "quadrants",
    "costs",
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return synthetic.write_many(tmp_path_factory.mktemp("runs"), seeds=3)


@pytest.fixture(scope="module")
def comparison(directory):
    return comparing.compare([str(directory / "*")], baseline="slow_only")


@pytest.fixture(scope="module")
def ordered(tmp_path_factory):
    folder = synthetic.write_many(tmp_path_factory.mktemp("orders"), seeds=3, orders=True)
    return comparing.compare([str(folder / "*")])


@pytest.fixture(scope="module")
def written(comparison, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "compared"
    writing.write(comparison, folder)
    return folder


def _compare(folder, **options):
    return comparing.compare([str(folder / "*")], **options)


def _lines(panel, comparison):
    """Return the mean line of every method in a panel, by its colour."""
    looked = looks.assign(method.label for method in comparison.methods)
    return {
        label: next(
            line
            for line in panel.lines
            if line.get_color() == look.colour and line.get_marker() == look.marker
        )
        for label, look in looked.items()
    }


def test_every_figure_is_written_in_three_formats_at_print_size(written):
    for name in NAMES:
        png = (written / f"{name}.png").read_bytes()
        width, _ = struct.unpack(">II", png[16:24])
        inches = figures.SINGLE if name == "prompts" else figures.DOUBLE
        assert width == round(inches * figures.PRINT_DPI)
        assert (written / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert xml.fromstring((written / f"{name}.svg").read_bytes()).tag.endswith("svg")


def test_the_same_comparison_gives_the_same_bytes(comparison, written, tmp_path):
    paths = writing.write(comparison, tmp_path / "again")
    assert {path.name for path in paths} == {path.name for path in written.iterdir()}
    for path in paths:
        assert path.read_bytes() == (written / path.name).read_bytes()


def test_a_comparison_is_not_written_over_the_report_of_a_run(comparison, directory):
    before = sorted((directory / "slow_only-0").rglob("*"))
    with pytest.raises(runs.RunsError, match=r"slow_only-0 holds a run .*another folder"):
        writing.write(comparison, directory / "slow_only-0")
    assert sorted((directory / "slow_only-0").rglob("*")) == before


def test_no_text_is_smaller_than_seven_points_and_every_axis_is_named(comparison, ordered):
    for one in (comparison, ordered):
        for picture in writing.draw(one):
            shown = [t for t in picture.figure.findobj(text.Text) if t.get_text().strip()]
            assert min(t.get_fontsize() for t in shown) >= 7
            shared = picture.figure.get_supxlabel()
            for panel in picture.figure.axes:
                assert panel.get_xlabel() or shared or panel.get_ylabel() == "Score (0 to 1)"


def test_forgetting_curves_are_the_means_of_the_runs_with_their_intervals(comparison):
    with figures.print_style():
        picture = curves.forgetting(comparison)
    panel = picture.figure.axes[1]
    assert panel.get_title("left") == "sarcasm"
    scores = [
        [row["score"] for row in runs.measurements(run) if row["task"] == "sarcasm"]
        for run in next(m for m in comparison.methods if m.label == "interleave").runs
    ]
    line = _lines(panel, comparison)["interleave"]
    np.testing.assert_array_equal(line.get_xdata(), [0, 2, 4, 6])
    np.testing.assert_allclose(line.get_ydata(), np.mean(scores, axis=0))
    estimate = comparison.estimate({(seed, 0): one[2] for seed, one in enumerate(scores)})
    band = next(
        b
        for b in panel.collections
        if np.isclose(b.get_paths()[0].vertices[:, 1], estimate.high).any()
    )
    assert np.isclose(band.get_paths()[0].vertices[:, 1], estimate.low).any()
    assert [patch.get_x() for patch in panel.patches] == [2, 3]  # its lessons


def test_with_other_orders_forgetting_starts_at_the_tasks_first_lesson(ordered):
    """Every task is first, second and third once: two runs have the two lessons after its own."""
    with figures.print_style():
        picture = curves.forgetting(ordered)
    assert picture.figure.get_supxlabel() == "Lessons of any task since the task's first"
    line = _lines(picture.figure.axes[0], ordered)["interleave"]
    assert list(line.get_xdata()) == [-2, 0, 2, 4]
    assert not picture.figure.axes[0].patches


def test_matrices_are_means_by_task_or_by_position(comparison, ordered):
    with figures.print_style():
        by_name = curves.accuracy_matrices(comparison).figure.axes[1]
        by_place = curves.accuracy_matrices(ordered).figure.axes[0]
    assert [t.get_text() for t in by_name.get_xticklabels()] == list(synthetic.TASKS)
    assert [t.get_text() for t in by_place.get_xticklabels()] == ["task 1", "task 2", "task 3"]
    (method,) = (m for m in ordered.methods if by_place.get_title("left").startswith(m.label))
    ends = [
        [row["score"] for row in runs.measurements(run) if row["event"] == 9] for run in method.runs
    ]
    own_order = [
        [scores[synthetic.TASKS.index(task)] for task in synthetic.order(run.seeds[1])]
        for scores, run in zip(ends, method.runs, strict=True)
    ]
    (image,) = by_place.images
    np.testing.assert_allclose(image.get_array()[-1], np.mean(own_order, axis=0))


def test_learning_curves_stand_at_the_mean_effort(comparison):
    with figures.print_style():
        panels = curves.learning(comparison).figure.axes
    labels = [panel.get_xlabel() for panel in panels]
    assert labels == [
        "Slow steps spent in lessons",
        "Tokens spent in lessons",
        "FLOP spent in lessons",
        "Seconds spent in lessons",
    ]
    assert list(_lines(panels[0], comparison)["slow_only"].get_xdata()) == [0, 12, 24, 36]
    assert list(_lines(panels[0], comparison)["fast_only"].get_xdata()) == [0, 0, 0, 0]
    assert list(_lines(panels[1], comparison)["slow_only"].get_xdata()) == [
        0,
        18_600,
        37_200,
        55_800,
    ]


def test_drift_is_drawn_in_every_direction_and_condition_it_was_measured_in(comparison):
    with figures.print_style():
        panels = curves.drift(comparison).figure.axes
    assert [panel.get_xlabel() for panel in panels] == [
        "KL(trained ‖ base), with prompt (nats per token)",
        "KL(base ‖ trained), with prompt (nats per token)",
        "KL(trained ‖ base), without prompt (nats per token)",
        "KL(base ‖ trained), without prompt (nats per token)",
    ]
    line = _lines(panels[1], comparison)["slow_only"]
    np.testing.assert_allclose(line.get_xdata(), [0, 0.36, 0.72, 1.08])


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


def test_what_deciding_and_constant_answers_come_to_is_drawn_too(tmp_path):
    habits = synthetic.METHODS["interleave"]._replace(deciding=types.Cost(500, 100))
    synthetic.write(tmp_path / "a", habits=habits)
    synthetic.write(tmp_path / "b", "slow_only")
    told = {"sentiment": constant.Constant("positive", 0.51), "food": constant.Constant("", np.nan)}
    records.append(tmp_path / "b", records.tasks_row(dict.fromkeys(told, ""), told), 0.0)
    comparison = _compare(tmp_path)
    with figures.print_style():
        tokens = bars.costs(comparison).figure.axes[0]
        panels = curves.forgetting(comparison).figure.axes
    bar = next(c for c in tokens.containers if c.get_label() == "deciding")
    assert [one.get_width() for one in bar] == [6 * 600, 0]
    level = [
        [line.get_ydata()[0] for line in panel.lines if line.get_color() == figures.GREY]
        for panel in panels
    ]
    assert level == [[0.51], [], []]
    assert tables.by_task(comparison).footer == ("best constant answer", "0.510", "–", "–")


def test_prompt_growth_starts_with_the_seed_prompt(comparison, directory):
    with figures.print_style():
        (panel,) = curves.prompts(comparison).figure.axes
    seed = (directory / "interleave-0" / "prompts" / "0" / "food" / "0.md").read_text()
    line = _lines(panel, comparison)["slow_only"]
    assert list(line.get_ydata()) == [len(seed)] * 4


@pytest.mark.parametrize("interval", ["t", "bootstrap"])
def test_the_summary_reads_as_the_estimates(directory, interval):
    comparison = _compare(directory, interval=interval)
    shown = tables.summary(comparison)
    of = measures.MEASURES["forgetting"].of
    found = comparison.estimate(comparing.values(comparison.methods[1], of))
    cell = shown.rows[1][shown.header.index("Forgetting ↓")]
    assert cell.startswith(f"+{found.mean:.3f}")
    if interval == "t":
        assert cell.endswith(f"± {found.high - found.mean:.3f}")
    else:
        assert cell.endswith(f"[+{found.low:.3f}, +{found.high:.3f}]")


@pytest.mark.parametrize(
    ("values", "measure", "reads"),
    [
        ([0.1, 0.2, 0.15], "average_accuracy", "better"),
        ([0.1, 0.2, 0.15], "forgetting", "worse"),
        ([-0.1, -0.2, -0.15], "forgetting", "better"),
        ([-0.1, 0.2, 0.15], "average_accuracy", "undecided"),
        ([0.0, 0.0, 0.0], "average_accuracy", "equal"),
        ([0.015625, 0.015625], "average_accuracy", "undecided"),  # one of 64 answers, twice
        ([-12.0, -12.0], "slow_steps", "better"),
        ([0.1], "average_accuracy", "–"),
    ],
)
def test_a_difference_reads_by_its_interval_and_the_direction(comparison, values, measure, reads):
    found = comparison.estimate({(seed, 0): value for seed, value in enumerate(values)})
    assert tables.verdict(found, measures.MEASURES[measure]) == reads


def test_the_tables_on_terminal_and_in_files_say_the_same(comparison, written):
    console = rich.console.Console(width=160, record=True, file=io.StringIO())
    writing.show(comparison, console)
    terminal, markdown = console.export_text(), (written / "comparison.md").read_text()
    latex = (written / "comparison.tex").read_text()
    for shown in tables.every(comparison):
        for row in shown.rows:
            assert re.sub(r"\s", "", "".join(row)) in re.sub(r"\s", "", terminal)
    assert latex.count(r"\toprule") == len(tables.every(comparison)) == 6
    assert all(f"{name}.png" in markdown for name in NAMES)
    assert comparison.notes[0] in terminal
    assert f"% {comparison.notes[0]}" in latex


def test_the_csv_holds_every_estimate_in_full(comparison, written):
    rows = list(csv.DictReader((written / "comparison.csv").open()))
    assert len(rows) == len(comparison.methods) * len(measures.MEASURES)
    row = next(r for r in rows if (r["method"], r["measure"]) == ("interleave", "average_accuracy"))
    of = measures.MEASURES["average_accuracy"].of
    method = next(m for m in comparison.methods if m.label == "interleave")
    found = comparison.estimate(comparing.values(method, of))
    assert (int(row["size"]), float(row["mean"]), float(row["low"])) == (3, found.mean, found.low)
    assert float(row["difference_mean"]) == comparing.difference(comparison, method, of).mean
    assert (row["unit"], row["better"], row["interval"]) == ("score", "higher", "t")
    measured = list(csv.DictReader((written / "measurements.csv").open()))
    assert len(measured) == 9 * 4 * 3
    assert list(measured[0]) == list(runs.COLUMNS)


def test_chosen_metrics_are_the_only_ones(directory):
    comparison = _compare(directory, metrics=["forgetting", "tokens"])
    assert {row["measure"] for row in tables.flat(comparison)} == {"forgetting", "tokens"}
    assert tables.summary(comparison).header == ("Method", "Runs", "Forgetting ↓")


def _no_drift(monkeypatch):
    monkeypatch.setattr(learner.Drift, "__new__", lambda cls, *_: tuple.__new__(cls, (np.nan,) * 2))


def _one(folder, _):
    synthetic.write(folder / "a")


def _untaught(folder, _):
    synthetic.write(folder / "a", events=1)


def _nothing_complete(folder, _):
    synthetic.write(folder / "a", events=5, done=False)


def _without_drift(folder, monkeypatch):
    _no_drift(monkeypatch)
    synthetic.write_many(folder, seeds=2)


def _holes(folder, _):
    holes = [(event, task) for event in (0, 3, 6, 9) for task in synthetic.TASKS]
    synthetic.write(folder / "a", unmeasured=holes)
    synthetic.write(folder / "b", seed=1, unmeasured=holes[4:6])


def _many(folder, _):
    for number in range(9):
        habits = synthetic.METHODS["interleave"]
        synthetic.write(
            folder / f"m{number}", f"a method with a long name, {number}", habits=habits
        )


def _unfinished_beside_complete(folder, _):
    synthetic.write_many(folder, seeds=2)
    synthetic.write(folder / "late", "interleave", seed=9, events=4, done=False)


@pytest.mark.parametrize(
    "make",
    [
        _one,
        _untaught,
        _nothing_complete,
        _without_drift,
        _holes,
        _many,
        _unfinished_beside_complete,
    ],
)
@pytest.mark.parametrize("at_equal", [None, "tokens"])
def test_any_runs_give_tables_and_figures_without_a_warning(make, at_equal, tmp_path, monkeypatch):
    make(tmp_path / "runs", monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if make is _untaught and at_equal:
            with pytest.raises(runs.RunsError, match="no run spent any tokens"):
                _compare(tmp_path / "runs", at_equal=at_equal)
            return
        comparison = _compare(tmp_path / "runs", at_equal=at_equal)
        shown = tables.every(comparison)
        pictures = writing.draw(comparison)
        with figures.print_style():
            for picture in pictures:
                assert len(figures.encode(picture.figure, "png", 60)) > 1000
                words = [t.get_text() for t in picture.figure.findobj(text.Text)]
                assert not any("nan" in word.lower().split() for word in words)
    assert not any("nan" in cell for one in shown for row in one.rows for cell in row)
    assert bool(pictures) == any(method.runs for method in comparison.methods)


def test_between_its_evaluations_a_run_is_on_the_line_between_them():
    places, values = series.align(
        [{0: 0.1, 4: 0.9}, {0: 0.3, 1: np.nan, 2: 0.7, 3: 0.5}, {1: np.nan}]
    )
    assert list(places) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(values[0], [0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_allclose(values[1], [0.3, 0.5, 0.7, 0.5, np.nan])
    assert np.isnan(values[2]).all()


def test_a_place_that_one_of_several_runs_has_is_left_out_of_a_band(comparison):
    places, values = series.align([{0: 0.1, 2: 0.5}, {0: 0.3, 2: 0.7, 4: 0.9}])
    assert list(places) == [0, 2, 4]
    two, one = (comparison.methods[0]._replace(runs=comparison.methods[0].runs[:n]) for n in (2, 1))
    band = series.band(comparison, two, places, values)
    assert list(band.places) == [0, 2]
    np.testing.assert_allclose(band.mean, [0.2, 0.6])
    alone = series.band(comparison, one, *series.align([{0: 0.1, 4: 0.9}]))
    assert list(alone.mean) == [0.1, 0.9]
    assert np.isnan(alone.low).all()


def test_quadrants_that_only_some_runs_have_are_not_drawn(directory):
    whole = _compare(directory)
    with figures.print_style():
        assert bars.quadrants(whole) is not None
        method = whole.methods[0]
        cut = method.runs[0]._replace(rows=records.of_kind(method.runs[0].rows, "evaluation"))
        some = whole._replace(methods=(method._replace(runs=(cut, *method.runs[1:])),))
        assert bars.quadrants(some) is None
