"""The main program on its test configuration: a whole run, and runs that are killed and resumed."""

import json
import pathlib
import signal
import time

import pytest

from fastslow.report import records
from tests.experiments import cli


def begin(directory, *arguments):
    return cli.start("run", "--test_config", "--resume", f"--workdir={directory}", *arguments)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the directory of an uninterrupted run and what it printed."""
    directory = tmp_path_factory.mktemp("run") / "whole"
    status, output = cli.run("run", "--test_config", f"--workdir={directory}")
    assert status == 0, output
    return directory, output


def contents(directory):
    """Return everything of a run that must not depend on when it was interrupted."""
    rows = [records.comparable(row) for row in records.read(directory)]
    texts = {
        str(path.relative_to(directory)): path.read_bytes()
        for folder in ("prompts", "predictions")
        for path in sorted((directory / folder).rglob("*"))
        if path.is_file()
    }
    manifests = {
        str(path.relative_to(directory)): json.loads(path.read_text())
        for path in sorted((directory / "checkpoints").glob("*/state.json"))
    }
    for state in manifests.values():
        state["cost"].pop("seconds")
    return rows, texts, manifests, (directory / "matrix.csv").read_text()


def test_a_run_leaves_everything_the_design_names(whole):
    directory, output = whole
    names = {path.name for path in directory.iterdir()}
    assert {"config.json", "records.jsonl", "matrix.csv", "predictions"} <= names
    assert {"prompts", "checkpoints", "report.html", "DONE"} <= names
    assert any(name.endswith(".png") for name in names)
    assert "Report: " in output
    for task in ("sentiment", "food"):
        assert task in output


def test_both_channels_and_all_metrics_are_in_the_records(whole):
    directory, _ = whole
    rows = records.read(directory)
    kinds = [row["kind"] for row in rows]
    events = ["evaluation", "lesson", "evaluation", "lesson", "evaluation"]
    assert kinds == ["tasks", *events, "quadrants"]
    assert rows[0]["tasks"]["food"]["constant"]["answer"] in ("Yes", "No")
    assert 0.5 <= rows[0]["tasks"]["food"]["constant"]["score"] <= 1
    for lesson in records.of_kind(rows, "lesson"):
        fast, slow = lesson["absorbed"]
        assert fast["cost"]["metric_calls"] > 0
        assert slow["cost"]["train_tokens"] > 0
        assert slow["outcome"] == "changed"
    first, *_, last = records.of_kind(rows, "evaluation")
    assert first["drift"]["food"]["with_prompt"]["trained_base"] == 0
    assert last["drift"]["food"]["with_prompt"]["trained_base"] > 0
    assert last["drift"]["food"]["without_prompt"]["base_trained"] > 0
    assert set(rows[-1]["quadrants"]["food"]) >= {"base_seed", "trained_evolved"}


def test_killed_after_every_event_and_resumed_equals_uninterrupted(whole, tmp_path):
    directory = tmp_path / "killed"
    total = len(records.read(whole[0]))
    for target in range(1, total):
        process = begin(directory)
        while process.poll() is None and rows_in(directory) < target:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)  # the row is written; the checkpoint may not be
        process.communicate()
        assert not (directory / "DONE").exists()
    status, output = cli.run("run", "--test_config", "--resume", f"--workdir={directory}")
    assert status == 0, output
    assert "events already done" in output
    assert contents(directory) == contents(whole[0])


def rows_in(directory: pathlib.Path) -> int:
    path = records.path_of(directory)
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_another_seed_is_another_run(whole, tmp_path):
    status, output = cli.run("run", "--test_config", "--seed=1", f"--workdir={tmp_path / 'other'}")
    assert status == 0, output
    other = contents(tmp_path / "other")
    assert other[0] != contents(whole[0])[0]


def test_resume_of_a_finished_run_shows_its_results_again(whole):
    directory, _ = whole
    before = contents(directory)
    status, output = cli.run("run", "--test_config", "--resume", f"--workdir={directory}")
    assert status == 0, output
    assert "Report: " in output
    assert contents(directory) == before


def test_a_directory_alone_is_resumed_as_it_was_configured(tmp_path):
    directory = tmp_path / "run"
    process = begin(directory, "--scheduler=slow_only", "--seed=3")
    while process.poll() is None and rows_in(directory) < 3:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    begun = (directory / "config.json").read_text()
    status, output = cli.run("run", "--resume", f"--workdir={directory}")
    assert status == 0, output
    assert "events already done" in output
    assert (directory / "config.json").read_text() == begun
    status, output = cli.run("run", "--resume", "--seed=4", f"--workdir={directory}")
    assert status == 2
    assert "config.seed: 3 -> 4" in output


def test_a_used_directory_is_not_overwritten(whole):
    directory, _ = whole
    before = contents(directory)
    status, output = cli.run("run", "--test_config", f"--workdir={directory}")
    assert status == 2
    assert "already holds a finished run" in output
    status, output = cli.run(
        "run", "--test_config", "--resume", "--seed=7", f"--workdir={directory}"
    )
    assert status == 2
    assert "config.seed: 0 -> 7" in output
    assert contents(directory) == before


def test_interrupt_leaves_a_directory_that_resumes(tmp_path):
    directory = tmp_path / "interrupted"
    process = begin(directory)
    while process.poll() is None and rows_in(directory) < 1:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "--resume" in output
    assert "Traceback" not in output
    path = directory / "config.json"
    begun = json.loads(path.read_text())
    path.write_text(json.dumps({**begun, "git": "0" * 40}))
    status, output = cli.run("run", "--resume", f"--workdir={directory}")
    assert status == 0, output
    assert "goes on with other code, packages or devices from event" in output
    (noted,) = json.loads(path.read_text())["resumed"]
    assert noted["git"] == begun["git"]


def test_report_can_be_written_again(whole):
    directory, _ = whole
    (directory / "report.html").unlink()
    status, output = cli.run("report", f"--workdir={directory}")
    assert status == 0, output
    assert "<html" in (directory / "report.html").read_text()


def test_list_names_every_plugin():
    status, output = cli.run("list")
    assert status == 0, output
    for name in ("smollm2-135m-instruct", "evals_short", "interleave", "gepa", "lora", "cispo"):
        assert name in output


def test_what_a_run_exports_is_a_model_for_the_next(whole, tmp_path):
    directory, _ = whole
    status, output = cli.run(
        "export", f"--workdir={directory}", f"--out={tmp_path / 'out'}", "--what=merged"
    )
    assert status == 0, output
    merged, again = tmp_path / "out" / "merged", tmp_path / "again"
    status, output = cli.run(
        "run", "--test_config", f"--model={merged}", "--fast=none", f"--workdir={again}"
    )
    assert status == 0, output
    assert json.loads((again / "config.json").read_text())["config"]["model"]["name"] == str(merged)
