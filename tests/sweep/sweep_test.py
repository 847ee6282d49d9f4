"""Sweeps of toy cells in real processes: failures, kills, resumption, two sweeps at once."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from fastslow import run_directory
from fastslow.sweep import cells, sweep
from fastslow.sweep.launchers import contracts, local
from tests.sweep import toy_sweep

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the rows of uninterrupted cells, by seed."""
    planned = toy_sweep.plan(tmp_path_factory.mktemp("whole"), 0, 1)
    final = toy_sweep.run(planned, local.Local(toy_sweep.COMMAND, workers=2, memory_per_cell=0.1))
    assert [row.state for row in final.values()] == ["finished", "finished"]
    return {cell.point["seed"]: toy_sweep.rows(cell) for cell in planned}


def test_cells_run_to_their_end_with_their_own_configuration(whole):
    assert len(whole[0]) == len(whole[1]) == toy_sweep.EVENTS
    assert whole[0] != whole[1]


def test_a_failing_cell_does_not_stop_the_others_and_is_tried_again(tmp_path, whole):
    planned = toy_sweep.plan(tmp_path, 13, 0)
    shown = toy_sweep.Recorder()
    final = toy_sweep.run(planned, shown=shown)
    bad, good = planned
    assert final[good.name].state == "finished"
    assert final[good.name].position == (toy_sweep.EVENTS, toy_sweep.EVENTS)
    assert final[bad.name].state == "failed"
    assert final[bad.name].error == "exit status 2: error: seed 13 brings bad luck"
    assert (bad.directory / "error.txt").read_text().startswith(final[bad.name].error)
    between = [board[good.name].position.done for board in shown.boards]
    assert between == sorted(between)
    before = (good.directory / "attempts.jsonl").read_text()
    toy_sweep.run(planned)
    assert (good.directory / "attempts.jsonl").read_text() == before  # finished: skipped
    assert len((bad.directory / "attempts.jsonl").read_text().splitlines()) == 2
    assert toy_sweep.rows(good) == whole[0]


def wait_for_events(cell, number):
    until = time.monotonic() + 60
    while cells.position(cell.directory).done < number:
        assert time.monotonic() < until
        time.sleep(0.01)


def kill_at(cell, launcher, events):
    """Kill the first process of the launcher once the cell has come so far."""
    wait_for_events(cell, events)
    launcher._running[0].started.process.send_signal(signal.SIGKILL)


def test_a_killed_cell_fails_and_resumes_to_the_same_result(tmp_path, whole, monkeypatch):
    monkeypatch.setenv("FASTSLOW_TOY_PAUSE", "0.3")
    (cell,) = toy_sweep.plan(tmp_path, 0)
    launcher = local.Local(toy_sweep.COMMAND)
    killer = threading.Thread(target=kill_at, args=(cell, launcher, 5))
    killer.start()
    final = toy_sweep.run([cell], launcher)
    killer.join()
    assert final[cell.name].state == "failed"
    assert final[cell.name].error == "killed by SIGKILL"
    assert 5 <= final[cell.name].position.done < toy_sweep.EVENTS
    monkeypatch.setenv("FASTSLOW_TOY_PAUSE", "0")
    final = toy_sweep.run([cell])
    assert final[cell.name].state == "finished"
    assert "resumed at" in (cell.directory / "output.log").read_text()
    assert not (cell.directory / "error.txt").exists()
    assert toy_sweep.rows(cell) == whole[0]


SWEEP = """
import pathlib, signal, sys
from fastslow.sweep import display
from tests.sweep import toy_sweep
signal.signal(signal.SIGTERM, signal.default_int_handler)
with display.opened() as shown:
    toy_sweep.run(toy_sweep.plan(pathlib.Path(sys.argv[1]), 0, 1), shown=shown)
"""


def start_sweep(out, pause):
    environment = {**os.environ, "FASTSLOW_TOY_PAUSE": str(pause), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SWEEP, str(out)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_sweep_leaves_no_process_and_everything_resumable(
    tmp_path, whole, number, monkeypatch
):
    planned = toy_sweep.plan(tmp_path, 0, 1)
    process = start_sweep(tmp_path, pause=20)
    wait_for_events(planned[0], 1)
    process.send_signal(number)
    process.communicate(timeout=20)
    until = time.monotonic() + 10
    while run_directory.in_use(planned[0].directory):  # held by the cell's process alone
        assert time.monotonic() < until
        time.sleep(0.02)
    assert [cells.state(cell) for cell in planned] == ["unfinished", "new"]
    if number is signal.SIGTERM:
        toy_sweep.run(planned)
        assert [toy_sweep.rows(cell) for cell in planned] == [whole[0], whole[1]]


def test_two_sweeps_at_once_run_every_cell_once(tmp_path, whole):
    both = [start_sweep(tmp_path, pause=0.2) for _ in range(2)]
    outputs = [process.communicate(timeout=100)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    for cell in toy_sweep.plan(tmp_path, 0, 1):
        assert toy_sweep.rows(cell) == whole[cell.point["seed"]]
        attempts = (cell.directory / "attempts.jsonl").read_text().splitlines()
        assert [json.loads(line)["outcome"] for line in attempts] == ["finished"]
    assert not any("failed" in output for output in outputs)


class Scripted:
    """A launcher whose cells end as told, one attempt after the other."""

    def __init__(self, *outcomes):
        self.outcomes, self.cells, self.stopped = list(outcomes), [], False

    def wait_reason(self):
        return "busy" if self.cells else ""

    def start(self, cell):
        self.cells.append(cell)

    def ended(self):
        over, self.cells = self.cells, []
        return [contracts.Ended(cell, self.outcomes.pop(0)) for cell in over]

    def stop(self):
        self.stopped = True


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(sweep, "_PAUSE", 0.05)


def test_a_cell_whose_machine_is_lost_is_tried_again_but_not_for_ever(tmp_path):
    lost = cells.Attempt("lost", 1.0, error="NodeDiedError: gone")
    (cell,) = toy_sweep.plan(tmp_path, 0)
    again = Scripted(lost, lost, lost, cells.Attempt("finished", 1.0))
    assert toy_sweep.run([cell], again)[cell.name].state == "finished"
    assert again.stopped
    final = toy_sweep.run([cell], Scripted(lost, lost, lost, lost, "never reached"))
    assert final[cell.name].state == "failed"
    assert cells.error(cell) == "NodeDiedError: gone"


def test_a_cell_that_runs_elsewhere_is_passed_over_and_taken_back(tmp_path):
    held, free = toy_sweep.plan(tmp_path, 0, 1)
    cells.prepare(held)
    finished = cells.Attempt("finished", 1.0)
    with run_directory.locked(held.directory):
        final = toy_sweep.run([held, free], Scripted(finished))
        assert [final[c.name].state for c in (held, free)] == ["elsewhere", "finished"]
    busy = cells.Attempt("elsewhere", 0.1)  # the other process was quicker, and then died
    final = toy_sweep.run([held], Scripted(busy, finished))
    assert final[held.name].state == "finished"


def test_an_exception_stops_the_launcher(tmp_path):
    launcher = Scripted("no attempt")
    with pytest.raises(AttributeError):
        toy_sweep.run(toy_sweep.plan(tmp_path, 0), launcher)
    assert launcher.stopped
