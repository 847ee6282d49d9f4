"""Names, states and files of cells."""

import dataclasses
import json

import pytest

from fastslow import config, run_directory
from fastslow.sweep import cells
from tests.sweep import toy_sweep


@pytest.mark.parametrize(
    ("point", "label"),
    [
        ({"scheduler": "slow_only", "seed": 0}, "slow_only-seed0"),
        ({"config.slow.learning_rate": 1e-4, "order_seed": 2}, "learning_rate0.0001-order_seed2"),
        ({"config.stream.tasks": ("a", "b")}, "tasks_a_b"),
        ({"stream": "data/mine"}, "data_mine"),
        ({}, ""),
        ({"model": "m" * 300}, "m" * 120),
    ],
)
def test_labels_are_readable_and_safe(point, label):
    assert cells.label(point) == label


def test_directories_end_in_the_hash_of_the_configuration(tmp_path):
    first, second = toy_sweep.plan(tmp_path, 0, 1)
    assert first.name == f"seed0-{config.fingerprint(first.settings)}"
    assert toy_sweep.plan(tmp_path, 0)[0] == first
    assert first.name[-8:] != second.name[-8:]


def test_the_hash_is_that_of_the_content():
    one = toy_sweep.settings({})
    assert config.fingerprint(dataclasses.replace(one)) == config.fingerprint(one)
    reordered = dict(reversed(one.scheduler.options.items()))
    same = dataclasses.replace(one, scheduler=config.Plugin("interleave", reordered))
    assert config.fingerprint(same) == config.fingerprint(one)  # and of no process, by no hash()
    other = dataclasses.replace(one, slow=config.Plugin("toy", {"learning_rate": 1.1e-4}))
    assert config.fingerprint(other) != config.fingerprint(one)


def test_points_of_one_configuration_are_one_cell(tmp_path):
    assert len(toy_sweep.plan(tmp_path, 0, 1, 0)) == 2


def test_a_cell_is_found_again_by_a_grid_with_other_axes(tmp_path):
    (cell,) = toy_sweep.plan(tmp_path, 0)
    cells.prepare(cell)
    (again,) = cells.plan(tmp_path, [{"seed": 0, "order_seed": 0}], toy_sweep.settings)
    assert again.directory == cell.directory
    (bare,) = cells.plan(tmp_path / "bare", [{}], toy_sweep.settings)
    cells.prepare(bare)
    (again,) = cells.plan(tmp_path / "bare", [{"seed": 0}], toy_sweep.settings)
    assert again.directory == bare.directory


def test_states_follow_the_files(tmp_path):
    (cell,) = toy_sweep.plan(tmp_path, 0)
    assert cells.state(cell) == "new"
    cells.prepare(cell)
    assert cells.state(cell) == "new"
    run_directory.write_config(cell.directory, {"config": {}}, events=9)
    assert cells.state(cell) == "unfinished"
    cells.record(cell, cells.Attempt("failed", 2.0, error="why", details="a\nb"))
    assert cells.state(cell) == "failed"
    assert (cell.directory / "error.txt").read_text() == "why\n\na\nb"
    with run_directory.locked(cell.directory):
        assert cells.state(cell) == "elsewhere"
    run_directory.mark_done(cell.directory)
    cells.record(cell, cells.Attempt("finished", 3.0, 10))
    assert cells.state(cell) == "finished"
    assert not (cell.directory / "error.txt").exists()


def test_the_settings_survive_their_file(tmp_path):
    (cell,) = toy_sweep.plan(tmp_path, 5)
    cells.prepare(cell)
    assert cells.read_settings(cell.directory) == cell.settings
    assert json.loads((cell.directory / "cell.json").read_text())["point"] == {"seed": 5}


@pytest.mark.parametrize("text", [None, "", "{}", "[]"])
def test_a_directory_that_is_no_cell_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "cell.json").write_text(text)
    with pytest.raises(run_directory.RunDirectoryError, match=r"cell\.json is not a cell"):
        cells.read_settings(tmp_path)


def test_position_counts_events_and_no_other_rows(tmp_path):
    assert cells.position(tmp_path) == (0, None)
    run_directory.write_config(tmp_path, {"config": {}}, events=3)
    assert cells.position(tmp_path) == (0, 3)
    rows = tmp_path / "records.jsonl"
    rows.write_text('{"event": null}\n')
    assert cells.position(tmp_path) == (0, 3)
    rows.write_text('{"event": null}\n{"event": 0}\n{"event": 1}\n{"event": 2')  # torn
    assert cells.position(tmp_path) == (2, 3)
    rows.write_text('{"event": 2}\n{"event": null}\n')
    assert cells.position(tmp_path) == (3, 3)


def test_time_is_summed_over_attempts_and_averaged_over_finished_cells(tmp_path):
    first, second, third = toy_sweep.plan(tmp_path, 0, 1, 2)
    assert cells.mean_seconds([first, second, third]) is None
    for cell, attempts in ((first, (2.0, 3.0)), (second, (7.0,)), (third, (100.0,))):
        cells.prepare(cell)
        for seconds in attempts:
            cells.record(cell, cells.Attempt("lost", seconds))
    assert cells.seconds(first) == 5.0
    for cell in (first, second):
        run_directory.mark_done(cell.directory)
    assert cells.mean_seconds([first, second, third]) == 6.0


@pytest.mark.parametrize("last", [b"no row\n", b"[]\n", b'{"schema": 1}\n'])
def test_a_damaged_row_does_not_stop_who_only_looks(tmp_path, last):
    run_directory.write_config(tmp_path, {"config": {}}, 7)
    (tmp_path / "records.jsonl").write_bytes(b'{"event": 2}\n' + last)
    assert cells.position(tmp_path) == (3, 7)


def test_a_torn_row_of_attempts_costs_no_other(tmp_path):
    (cell,) = toy_sweep.plan(tmp_path, 0)
    cell.directory.mkdir(parents=True)
    cells.record(cell, cells.Attempt("finished", 2.0, peak_bytes=7))
    with open(cell.directory / "attempts.jsonl", "a") as file:
        file.write('{"outcome": "fin')
    assert cells.seconds(cell) == 2.0
    cells.record(cell, cells.Attempt("finished", 3.0))
    assert cells.seconds(cell) == 5.0
    assert cells.peak_bytes([cell]) == 7
