import io
import warnings

import numpy as np
import pytest
from matplotlib import image, patches, text

from fastslow import learner, types
from fastslow.metrics import matrix as matrices
from fastslow.report import channels, curves, figures, overview, records, report
from tests.report import synthetic

NAN = float("nan")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return records.read(synthetic.write(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def matrix(rows):
    return matrices.from_records(rows)


@pytest.fixture(autouse=True)
def _style():
    with figures.style():
        yield


def _texts(picture) -> list[str]:
    return [t.get_text() for t in picture.figure.findobj(text.Text) if t.get_text()]


def _known(values):
    return [value for value in values if value == value]


def test_forgetting_curves_show_the_scores_and_shade_the_lessons_of_the_task(rows, matrix):
    panels = curves.forgetting(matrix, rows).figure.axes
    assert [panel.get_title("left") for panel in panels] == list(synthetic.TASKS)
    spans = [
        [patch.get_x() for patch in panel.patches if isinstance(patch, patches.Rectangle)]
        for panel in panels
    ]
    assert spans == [[0, 1, 5], [2, 3], [4]]
    for panel, scores in zip(panels, matrix.scores.T, strict=True):
        (line,) = panel.lines
        assert list(line.get_ydata()) == _known(scores)
        assert list(line.get_xdata()) == [n for n, score in enumerate(scores) if score == score]
        assert f"{scores[-1]:.2f}" in [t.get_text() for t in panel.texts]


def test_the_matrix_is_written_in_its_cells_with_time_downwards(rows, matrix):
    panel = curves.accuracy_matrix(matrix, rows).figure.axes[0]
    written = {t.get_position(): t.get_text() for t in panel.texts}
    for (row, column), score in np.ndenumerate(matrix.scores):
        assert written[(column, row)] == ("–" if np.isnan(score) else f"{score:.2f}")
    assert [t.get_text() for t in panel.get_yticklabels()][:3] == [
        "0: untouched",
        "1: tomi",
        "2: tomi",
    ]
    assert [t.get_text() for t in panel.get_xticklabels()] == list(synthetic.TASKS)
    (shown,) = panel.images
    np.testing.assert_array_equal(np.ma.filled(shown.get_array(), np.nan), matrix.scores)


def test_the_learning_curve_means_over_all_tasks_only(rows, matrix):
    picture = curves.learning(matrix, rows)
    lines = {line.get_label(): line for line in picture.figure.axes[0].lines}
    mean = lines["mean of all tasks"]
    assert list(mean.get_xdata()) == [0, 8, 16, 16, 20]
    whole = [0, 2, 4, 5, 6]  # evaluations 1 and 3 lack the third task
    np.testing.assert_allclose(mean.get_ydata(), matrix.scores[whole].mean(axis=1))
    own = lines["reward on a step's own rollouts (noisy)"]
    assert list(own.get_xdata()) == list(range(1, 21))
    assert set(synthetic.TASKS) <= set(_texts(picture))


def test_drift_names_the_direction_on_each_axis(rows):
    panels = curves.drift(rows).figure.axes
    assert [panel.get_xlabel() for panel in panels] == [
        "KL(trained ‖ base) (nats per token)",
        "KL(base ‖ trained) (nats per token)",
    ]
    with_prompt = panels[0].lines[0]
    np.testing.assert_allclose(with_prompt.get_xdata()[1:3], [0.033, 0.065])
    assert with_prompt.get_ydata()[-1] == pytest.approx(1.97 / 3)


def test_the_timeline_marks_every_outcome_at_its_lesson(rows):
    panel = channels.timeline(rows).figure.axes[0]
    marked = {
        points.get_label(): sorted(map(tuple, points.get_offsets().tolist()))
        for points in panel.collections
    }
    fast, slow = 1, 0
    assert marked["failed"] == [(5, fast)]
    assert marked["rejected"] == [(2, fast), (6, slow)]
    assert marked["changed"] == [(1, fast), (2, slow), (3, fast), (4, slow), (6, fast)]
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert dict(zip(panel.get_yticks(), names, strict=True))[fast].startswith("fast")


def test_quadrant_bars_are_as_long_as_the_scores(rows):
    panel = channels.quadrants(rows).figure.axes[0]
    bars = {c.get_label(): [bar.get_width() for bar in c] for c in panel.containers}
    assert bars["weights only"] == pytest.approx([0.21, 0.44, 0.13, 0.325])
    assert bars["both"] == pytest.approx([0.58, 0.75, 0.64, 0.665])
    assert bars["prompts only"][:2] == pytest.approx([0.36, 0.52])
    assert "–" in [t.get_text() for t in panel.texts]
    assert channels.quadrants(rows[:-1]) is None


def test_cost_bars_add_up_to_the_tokens_of_each_channel(rows):
    tokens, times = channels.costs(rows).figure.axes
    ends = [tokens.containers[-1][n] for n in range(3)]
    assert [bar.get_x() + bar.get_width() for bar in ends] == [212_500, 192_000, 146_200]
    assert [bar.get_width() for bar in times.containers[0]] == [82.0, 66.0, 84.0]
    assert [t.get_text() for t in tokens.texts] == ["212 k", "192 k", "146 k"]


def _rows(tasks, lessons, score=0.5, drift=True):
    def evaluation(index):
        scores = dict.fromkeys(tasks, score)
        report = {"with_prompt": learner.Drift(0.01 * index, 0.02 * index)}
        drifts = dict.fromkeys(tasks, report if drift else {})
        point = types.EvaluationPoint(index, tuple(tasks))
        return records.evaluation_row(point, scores, {}, drifts, index, types.Cost(10, 1))

    found = [evaluation(0)]
    for number in range(lessons):
        lesson = types.Lesson(2 * number + 1, tasks[number % len(tasks)], ())
        slow = types.Absorbed("slow", "changed", "", details={"steps": [{"reward": NAN}]})
        report = types.LessonReport(types.Probe(0, 0, number), types.Decision(0, 1, ""), (slow,))
        found += [records.lesson_row(lesson, report, number + 1), evaluation(2 * number + 2)]
    return [{**row, "timing": {"seconds": 1.0}} for row in found]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        _rows(["only"], 0),
        _rows(["only"], 1),
        _rows(["only"], 1, drift=False),
        _rows(["a", "b"], 2, score=NAN),
        _rows([f"task with a very long name, number {n}" for n in range(9)], 45),
    ],
    ids=["nothing", "no lesson", "one lesson", "no drift", "only NaN", "many"],
)
def test_every_figure_can_be_drawn_of_any_run_without_a_warning(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for picture in report.draw(rows):
            height, width, _ = image.imread(io.BytesIO(figures.to_png(picture.figure))).shape
            assert min(height, width) > 200
            assert not any("nan" in t.lower().split() for t in _texts(picture))


def test_every_axis_that_holds_figures_has_a_name(rows):
    for picture in report.draw(rows):
        shared = picture.figure.get_supxlabel()
        for panel in picture.figure.axes:
            assert panel.get_xlabel() or shared or panel.get_ylabel() == "Score (0 to 1)"


def test_the_same_figure_gives_the_same_bytes(rows, matrix):
    first, second = (figures.to_png(curves.forgetting(matrix, rows).figure) for _ in range(2))
    assert first == second


def test_labels_are_spread_no_more_than_needed():
    assert figures.spread([0.5, 0.1, 0.52], 0.1) == pytest.approx([0.5, 0.1, 0.6])


def test_the_mean_of_a_drift_point_needs_every_task():
    rows = _rows(["a", "b"], 1)
    rows[2]["scores"]["b"] = None
    (point,) = overview.drift_points(rows)
    assert point.drift["with_prompt", "trained_base"] == 0  # before the first step
