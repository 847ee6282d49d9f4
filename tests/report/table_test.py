import io
import re

import pytest
import rich.console

from fastslow import types
from fastslow.metrics import matrix as matrices
from fastslow.metrics import summary
from fastslow.report import records, table
from tests.report import synthetic


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return records.read(synthetic.write(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def matrix(rows):
    return matrices.from_records(rows)


def _on_terminal(shown: table.Table, width: int = 120) -> str:
    console = rich.console.Console(width=width, record=True, file=io.StringIO())
    table.show([shown], console)
    return console.export_text()


def test_results_hold_every_task_and_the_averages_of_the_metrics(rows, matrix):
    shown = table.results(matrix, rows)
    assert shown.rows == (
        ("tomi", "3", "0.000", "0.580", "0.580", "–", "0.080"),
        ("sarcasm", "2", "0.020", "0.780", "0.750", "+0.030", "0.520"),
        (synthetic.TASKS[2], "1", "0.110", "0.700", "0.640", "+0.060", "–"),
    )
    values = summary.summarise(matrix)
    assert shown.footer[0] == "average"
    assert shown.footer[3:] == (
        f"{values['learning_accuracy']:.3f}",
        f"{values['average_accuracy']:.3f}",
        f"{values['forgetting']:+.3f}",
        "0.300",
    )


def test_tasks_of_a_kind_are_averaged_where_kinds_are_known(rows, matrix):
    assert table.kinds(matrix, rows).rows == (
        ("skill", "4", "0.055", "0.640", "0.610", "+0.060", "0.080"),
        ("convention", "2", "0.020", "0.780", "0.750", "+0.030", "0.520"),
    )
    older = [row for row in rows if row["kind"] != "tasks"]
    assert table.kinds(matrix, older).rows == ()
    titles = [shown.title for shown in table.summary(older)]
    assert "Scores by task" in titles
    assert "Scores by kind of task" not in titles


def test_the_metrics_are_those_of_the_matrix_with_their_sign(matrix):
    values = summary.summarise(matrix)
    cells = {row[0]: row[2] for row in table.metrics(matrix).rows}
    assert cells["Average accuracy at the end"] == f"{values['average_accuracy']:.3f}"
    assert cells["Backward transfer"] == f"−{-values['backward_transfer']:.3f}"
    assert cells["Forward transfer"] == f"+{values['forward_transfer']:.3f}"
    assert len(cells) == len(values)


def test_an_average_names_the_tasks_it_is_without(matrix):
    readings = {row[0]: row[1] for row in table.metrics(matrix).rows}
    assert readings["Average accuracy at the end"] == "higher is better"
    readings = {row[0]: row[1] for row in table.metrics(cut(matrix, 4)).rows}
    assert readings["Average accuracy at the end"] == (
        f"higher is better; without {synthetic.TASKS[2]}"
    )


def cut(matrix, rows):
    return matrix._replace(
        scores=matrix.scores[:rows], events=matrix.events[:rows], trained=matrix.trained[:rows]
    )


def test_drift_names_direction_and_condition(rows):
    shown = table.drift(rows)
    assert shown.header[1] == "KL(trained ‖ base)\nwith prompt"
    assert shown.rows[0] == ("tomi", "0.08", "0.1", "0.22", "–")


def test_costs_add_up_to_the_total(rows):
    shown = table.costs(rows)
    assert [row[0] for row in shown.rows] == ["fast", "slow", "evaluation"]
    assert shown.rows[0][1:7] == ("200 k", "12.5 k", "0", "240", "55 T", "1 min 22 s")
    assert shown.footer[4] == str(240 + 768 + 1464)
    assert shown.footer[6] == "6 min 00 s"


def test_a_reflection_model_has_a_column_only_where_one_was_asked(rows):
    shown = table.costs(rows)
    assert shown.header[7:] == ("Reflection\ncalls, tokens",)
    assert [row[7] for row in shown.rows] == ["30, 10.2 k", "0, 0", "0, 0"]
    unasked = [row for row in rows if row["kind"] != "lesson"]
    assert table.costs(unasked).header[-1] == "Time"


def test_every_lesson_shows_its_decision_its_reason_and_both_outcomes(rows):
    shown = table.lessons(rows)
    assert len(shown.rows) == 6
    assert shown.rows[1][2:4] == ("fast 48 calls, slow 8 steps", "tomi: lesson 1 of the plan")
    assert shown.rows[4][4].startswith("failed: ConnectionError: reflection <model> unreachable")
    assert shown.rows[5][5] == "rejected: step 3: loss is not finite (0.340 → 0.410)"
    assert shown.rows[0][5] == "skipped: no slow budget"


def test_quadrants_have_a_row_per_task_and_none_before_the_end(rows):
    shown = table.quadrants(rows)
    assert shown.rows[2] == (synthetic.TASKS[2], "0.110", "–", "0.130", "0.640")
    assert shown.footer == ("average without 1 incomplete", "0.010", "0.440", "0.325", "0.665")
    assert table.quadrants(rows[:-1])[2:4] == ((), ())


def test_the_terminal_shows_the_same_cells_as_markdown(rows, matrix):
    for shown in table.summary(rows):
        terminal, markdown = _on_terminal(shown), table.to_markdown(shown)
        for row in (shown.header[:1], *shown.rows, shown.footer):
            for cell in row:
                assert cell in terminal
                assert re.sub(r"([\\|<>*_`$\[\]])", r"\\\1", cell) in markdown
        assert "nan" not in (terminal + markdown).lower()


def test_an_ordinary_terminal_shows_costs_without_breaking_a_word(rows):
    printed = _on_terminal(table.costs(rows), width=80)
    words = " ".join(table.costs(rows).header).split()
    assert set(words) <= set(printed.split())
    assert "1 min 22 s" in printed
    assert "…" not in printed


def test_a_markdown_cell_stays_in_its_cell():
    shown = table.Table("T", ("a", "b"), (("x|y\nz", "1"),), texts=1)
    assert table.to_markdown(shown) == "## T\n\n| a | b |\n| --- | ---: |\n| x\\|y z | 1 |\n"


def test_rich_markup_in_a_name_is_shown_and_not_obeyed():
    assert "[bold]x[/bold]" in _on_terminal(table.Table("T", ("a",), (("[bold]x[/bold]",),)))


def test_a_prompt_chosen_again_is_told_beside_what_the_fast_channel_did(rows):
    chosen = types.Absorbed("prompts", "changed", "another prompt is best now for tomi", 0.25, 0.5)
    kept = chosen._replace(outcome="rejected", reason="the best prompts stay best")
    lessons = records.of_kind(rows, "lesson")[:2]
    told = [
        {**row, "reselected": records.plain(part)}
        for row, part in zip(lessons, (chosen, kept), strict=True)
    ]
    plain, shown = ([row[4] for row in table.lessons(r).rows] for r in (lessons, told))
    added = "; on validation another prompt is best now for tomi (0.250 → 0.500)"
    assert shown == [plain[0] + added, plain[1]]
