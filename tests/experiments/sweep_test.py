"""The sweep program: what it refuses before anything runs, what it plans, and one real cell."""

import json

import pytest

from fastslow.report import records, wording
from tests.experiments import cli


def sweep(out, grid, *arguments):
    return cli.run("sweep", "--test_config", f"--out={out}", f"--grid={grid}", *arguments)


@pytest.mark.parametrize(
    ("grid", "arguments", "message"),
    [
        ("sed=0:2", [], "unknown setting 'sed'; did you mean 'seed'?"),
        ("scheduler=interleave,slow_onyl", [], "unknown scheduler 'slow_onyl'; did you mean"),
        (
            "config.stream.tasks=food",
            [],
            "must be tuple, got 'food'; a tuple is one value of a grid: ('food',)",
        ),
        ("seed=0", ["--trackers=wandbb"], "unknown tracker 'wandbb'; did you mean 'wandb'?"),
        ("seed=0", ["--ray_address=auto"], "unknown option of launcher 'local' 'ray_address'"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(tmp_path, grid, arguments, message):
    status, output = sweep(tmp_path / "out", grid, *arguments)
    assert status == 2, output
    assert message in output
    assert "Traceback" not in output
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_directory_of_a_sweep(tmp_path):
    (tmp_path / "out").write_text("mine")
    status, output = sweep(tmp_path / "out", "seed=0")
    assert status == 2, output
    assert f"error: cannot write {tmp_path / 'out'}" in output
    assert (tmp_path / "out").read_text() == "mine"


def test_a_dry_run_lists_the_cells_and_starts_nothing(tmp_path):
    out = tmp_path / "out"
    grid = "scheduler=slow_only,fast_only;config.stream.tasks=('food','sentiment'),('food',)"
    status, output = sweep(out, grid, "--dry_run")
    assert status == 0, output
    assert "slow_only-tasks_food_sentiment-" in output
    assert "4 cells: 4 new" in output
    assert "4 cells left; the time is unknown until one has finished" in output
    assert not out.exists()


def test_an_order_seed_that_changes_nothing_makes_no_more_runs(tmp_path):
    grid = "seed=0:2;order_seed=0:3"
    status, output = sweep(tmp_path, grid, "--dry_run")
    assert status == 0, output
    assert "2 cells: 2 new" in output
    assert output.count("order_seed changes nothing and is left out") == 1
    status, output = sweep(tmp_path, grid, "--dry_run", "--config.stream.order=shuffled")
    assert "6 cells: 6 new" in output


def test_options_of_a_file_that_was_named_are_not_dropped_in_silence(tmp_path):
    named = "--config=experiments/configs/quickstart.py"
    told = "note: --scheduler=slow_only does not take fast_budget"
    for flags, times in (((), 0), ((named,), 1)):
        status, output = sweep(tmp_path, "scheduler=slow_only;seed=0:2", "--dry_run", *flags)
        assert status == 0, output
        assert output.count(told) == times


def test_a_cell_is_an_ordinary_run_and_is_not_run_twice(tmp_path):
    pytest.importorskip("tensorboardX")
    out = tmp_path / "out"
    status, output = sweep(out, "scheduler=slow_only;seed=3", "--trackers=tensorboard")
    assert status == 0, output
    assert "1 finished" in output
    (cell,) = out.iterdir()
    assert cell.name.startswith("slow_only-seed3-")
    found = json.loads((cell / "config.json").read_text())
    assert (found["config"]["seed"], found["config"]["scheduler"]["name"]) == (3, "slow_only")
    events = [row["event"] for row in records.read(cell) if row["event"] is not None]
    assert events == list(range(found["events"]))
    assert (cell / "report.html").exists()
    assert list((cell / "tensorboard").iterdir())
    (attempt,) = (cell / "attempts.jsonl").read_text().splitlines()
    status, output = sweep(out, "scheduler=slow_only;seed=3:5", "--dry_run")
    assert "2 cells: 1 finished, 1 new" in output
    each = wording.duration(json.loads(attempt)["seconds"])
    assert f"1 cell left, {each} each: {each} of work" in output
    status, output = sweep(out, "scheduler=slow_only;seed=3")
    assert status == 0, output
    assert (cell / "attempts.jsonl").read_text().splitlines() == [attempt]
