import numpy as np

from fastslow.evaluation import constant
from fastslow.report import figures, looks, records, runs
from fastslow.report.comparison import comparing, curves
from tests.report.comparison import synthetic


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


def test_a_matrix_shows_all_its_rows_beside_one_that_got_less_far(directory):
    """At equal tokens interleave taught two lessons, fast_only all six."""
    comparison = comparing.compare([str(directory / "*")], at_equal="tokens")
    with figures.print_style():
        panels = curves.accuracy_matrices(comparison).figure.axes
    shown = {
        method.label: panel for method, panel in zip(comparison.methods, panels[:3], strict=True)
    }
    names = ["untouched", "2: sentiment", "4: sarcasm", "6: food"]
    for label, count in {"fast_only": 4, "interleave": 2}.items():
        (image,) = shown[label].images
        known = ~np.ma.getmaskarray(image.get_array()).all(axis=1)
        assert list(known) == [True] * count + [False] * (4 - count)
        assert shown[label].get_ylim() == (3.5, -0.5)
        assert [t.get_text() for t in panels[0].get_yticklabels()] == names


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


def test_prompt_growth_starts_with_the_seed_prompt(comparison, directory):
    with figures.print_style():
        (panel,) = curves.prompts(comparison).figure.axes
    seed = (directory / "interleave-0" / "prompts" / "0" / "food" / "0.md").read_text()
    line = _lines(panel, comparison)["slow_only"]
    assert list(line.get_ydata()) == [len(seed)] * 4


def test_the_best_constant_answer_is_a_grey_line(tmp_path):
    synthetic.write(tmp_path / "a")
    told = {"sentiment": constant.Constant("positive", 0.51), "food": constant.Constant("", np.nan)}
    records.append(tmp_path / "a", records.tasks_row(dict.fromkeys(told, ""), told), 0.0)
    with figures.print_style():
        panels = curves.forgetting(comparing.compare([str(tmp_path / "*")])).figure.axes
    level = [
        [line.get_ydata()[0] for line in panel.lines if line.get_color() == figures.GREY]
        for panel in panels
    ]
    assert level == [[0.51], [], []]
