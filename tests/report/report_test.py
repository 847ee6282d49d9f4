import base64
import hashlib
import json
import re
import shutil

import pytest

from fastslow import files, run_directory
from fastslow.metrics import matrix as matrices
from fastslow.report import decisions, records, report, table
from tests.report import reading, synthetic


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    directory = synthetic.write(tmp_path_factory.mktemp("finished") / "my <run>")
    assert report.write(directory) == directory / "report.html"
    return directory


@pytest.fixture(scope="module")
def page(finished):
    return reading.Page((finished / "report.html").read_text("utf-8"))


def test_every_table_is_on_the_page_cell_by_cell(finished, page):
    rows = records.read(finished)
    for shown in (*table.summary(rows), table.lessons(rows), decisions.facts(rows)):
        wanted = [shown.header, *shown.rows, *([shown.footer] if shown.footer else [])]
        assert [list(row) for row in wanted] in page.tables


def test_the_report_that_a_run_writes_before_its_file_done_says_finished(tmp_path):
    directory = synthetic.write(tmp_path)
    (directory / "DONE").unlink()
    texts = reading.Page(report.write(directory).read_text("utf-8")).texts
    assert "finished" in texts
    assert "unfinished" not in texts


def test_the_page_needs_no_network_and_no_other_file(finished, page):
    assert page.tags.isdisjoint({"iframe", "object", "embed", "base"})
    for link in page.links:
        assert link.startswith(("#", "data:"))
    assert not re.search(r"https?://", (finished / "report.html").read_text("utf-8"))


def test_only_the_scripts_of_the_page_itself_can_run(page):
    policy = page.policies["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    data, script = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    json.loads(data)


def test_the_figures_on_the_page_are_the_files_beside_it(finished, page):
    embedded = {base64.b64decode(data.partition(",")[2]) for _, data in page.pictures}
    written = {path.read_bytes() for path in finished.glob("*.png")}
    assert len(written) == 7
    assert embedded == written
    assert all(description for description, _ in page.pictures)


def test_whatever_the_run_contains_is_text_and_never_markup(page):
    text = "".join(page.texts)
    assert "b" not in page.tags  # from the name of a task
    assert "anna" not in page.tags  # from an input
    assert "my <run>" in text
    assert "Answer with <one> word." in text  # a prompt
    assert "</pre>" not in page.scripts[0]  # a prediction
    assert "ConnectionError: reflection <model> unreachable" in text
    for task in synthetic.TASKS:
        assert task in text


def test_neither_page_nor_markdown_says_nan_or_none(finished, page):
    for text in ("".join(page.texts), (finished / "report.md").read_text("utf-8")):
        assert not re.search(r"\b(nan|none|null)\b", text, re.IGNORECASE)


def test_the_prompts_evolve_with_their_scores_and_what_changed(page):
    text = " ".join("".join(page.texts).split())
    assert "after 0 lessons reward – · test score 0.000 · the first" in text
    told = "after 6 lessons reward 0.600 · test score 0.580 · demonstrations +1, lessons +1"
    assert f"{told} · best of 3" in text
    assert text.count("· test score") == 6  # tomi 3, sarcasm 2, the failed one keeps its seed
    assert page.units["added"] == [
        "added: Question 0? → 0",
        "added: No sentences.",
        "added: Question 1? → 1",
        "added: No sentences.",
        "added: Question 0? → 0",
        "added: No sentences.",
    ]
    assert "removed" not in page.units


def test_the_page_tells_how_the_run_was_made(page):
    settings = {row[0]: row[1] for row in page.tables[-1]}
    assert settings["config.slow.learning_rate"] == "0.0005"
    assert settings["config.stream.tasks"] == ", ".join(synthetic.TASKS)
    assert settings["versions.jax"] == "0.10.2"
    assert settings["git"] == "0123456789abcdef+"


def test_every_answer_is_on_the_page_as_data(finished, page):
    told = json.loads(page.scripts[0])
    columns = told["columns"]
    assert told["left_out"] == 0
    evaluated = [score for scores in synthetic.SCORES for score in scores if score == score]
    assert {len(column) for column in columns.values()} == {6 * len(evaluated)}
    first = {name: column[1] for name, column in columns.items()}  # newest first; the second item
    texts = {name: told["texts"][first[name]] for name in ("id", "input", "target", "answer")}
    assert texts == {
        "id": "e1",
        "input": "Where is <Anna> now, tomi?",
        "target": "kitchen",
        "answer": "In the </pre> garden.",
    }
    assert (told["tasks"][first["task"]], told["points"][first["point"]]) == ("tomi", [12, 6])
    assert (first["score"], first["before"]) == (0.0, 0.0)


def test_the_matrix_file_and_the_markdown_hold_the_same_figures(finished):
    rows = records.read(finished)
    matrix = matrices.from_records(rows)
    assert matrices.to_csv(matrix) == (finished / "matrix.csv").read_text()
    assert table.to_markdown(table.results(matrix, rows)) in (finished / "report.md").read_text()


def test_writing_again_from_the_files_alone_gives_the_same_page(finished, tmp_path):
    copy = tmp_path / finished.name
    keep = ("config.json", "records.jsonl", "DONE", "prompts", "predictions")
    shutil.copytree(finished, copy, ignore=lambda _, names: [])
    for path in copy.iterdir():
        if path.name not in keep:
            path.unlink()
    report.write(copy)
    for name in ("report.html", "report.md", "matrix.csv", "forgetting.png"):
        assert (copy / name).read_bytes() == (finished / name).read_bytes()


@pytest.mark.parametrize("events", [0, 1, 2, 4, 13])
def test_an_unfinished_run_is_shown_and_marked(tmp_path, events):
    directory = synthetic.write(tmp_path, events=events, done=False)
    text = "".join(reading.Page(report.write(directory).read_text("utf-8")).texts)
    assert "unfinished" in text
    assert f"the {events} events recorded so far" in text
    assert ("no evaluation in the records" in text) == (events == 0)
    assert (directory / "matrix.csv").exists() == (events > 0)


def test_a_run_without_prompts_predictions_and_configuration_is_shown_too(tmp_path):
    directory = synthetic.write(tmp_path)
    for name in ("prompts", "predictions"):
        shutil.rmtree(directory / name)
    (directory / "config.json").unlink()
    page = reading.Page(report.write(directory).read_text("utf-8"))
    assert "How the prompts evolved" not in page.texts
    assert page.tables[0][1][0] == "tomi"


def test_a_directory_without_a_run_is_an_error_that_names_it(tmp_path):
    with pytest.raises(run_directory.RunDirectoryError, match="holds no run: neither config"):
        report.write(tmp_path)
    (tmp_path / "config.json").write_text('{"config": {')
    with pytest.raises(run_directory.RunDirectoryError, match=r"config\.json is not the config"):
        report.write(tmp_path)


def test_a_task_name_the_matrix_file_cannot_hold_costs_only_that_file(tmp_path):
    directory = synthetic.write(tmp_path, events=1, done=False)
    path = records.path_of(directory)
    path.write_bytes(path.read_bytes().replace(b'"tomi"', b'"to;mi"'))
    with pytest.warns(UserWarning, match="no matrix.csv: task name 'to;mi'"):
        report.write(directory)
    assert not (directory / "matrix.csv").exists()
    assert "to;mi" in (directory / "report.html").read_text("utf-8")


def test_a_lone_surrogate_in_a_run_does_not_stop_the_report(tmp_path):
    directory = synthetic.write(tmp_path, events=1, done=False)
    config = json.loads((directory / "config.json").read_text("utf-8"))
    files.write_json_atomic(directory / "config.json", {**config, "note": "\ud800"})
    assert report.write(directory).exists()


def test_show_says_of_an_unfinished_run_that_it_is(finished, tmp_path, capsys):
    report.show(finished)
    assert "has not finished" not in capsys.readouterr().out
    report.show(synthetic.write(tmp_path, events=4, done=False))
    assert "This run has not finished: this is after 4 recorded events." in capsys.readouterr().out


def test_show_prints_the_tables_and_where_the_report_is(finished, capsys):
    report.show(finished)
    printed = capsys.readouterr().out
    assert "Scores by task" in printed
    assert "Which channel carries the gain" in printed
    assert "my <run>/report.html" in printed.replace("\n", "")
