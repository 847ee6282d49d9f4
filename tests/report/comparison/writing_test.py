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

from fastslow import learner
from fastslow.report import figures, runs
from fastslow.report.comparison import comparing, measures, tables, writing
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
def written(comparison, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "compared"
    writing.write(comparison, folder)
    return folder


def _compare(folder, **options):
    return comparing.compare([str(folder / "*")], **options)


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


def test_figures_of_an_earlier_comparison_do_not_stay_in_the_folder(comparison, tmp_path):
    writing.write(comparison, tmp_path / "out")
    others = ("drift.txt", "drifts.png", "mine.pdf")
    for name in others:
        (tmp_path / "out" / name).write_text("")
    synthetic.write(tmp_path / "runs" / "a", events=4, done=False)
    fewer = _compare(tmp_path / "runs", at_equal="tokens")
    paths = writing.write(fewer, tmp_path / "out")
    assert not (tmp_path / "out" / "quadrants.svg").exists()
    assert (tmp_path / "out" / "drift.png").exists()
    kept = {path.name for path in paths} | set(others)
    assert {path.name for path in (tmp_path / "out").iterdir()} == kept


def test_every_figure_is_written_under_the_name_it_is_listed_by(comparison):
    assert [picture.name for picture in writing.draw(comparison)] == list(writing._FIGURES)


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
    assert list(measured[0]) == list(runs.measurements(comparison.listed[0].run)[0])


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
