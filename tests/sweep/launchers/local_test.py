"""Cells on this machine: their shares of cores and memory."""

import sys

import pytest

from fastslow.sweep import cells, launchers, memory
from fastslow.sweep.launchers import contracts, local
from tests.sweep import toy_sweep


@pytest.mark.parametrize(
    ("count", "workers", "shares"),
    [
        (4, 2, [(0, 1), (2, 3)]),
        (5, 2, [(0, 1), (2, 3, 4)]),
        (2, 1, [(0, 1)]),
        (2, 3, [(0,), (1,), (0,)]),
    ],
)
def test_workers_share_the_cores(count, workers, shares):
    assert [local.cores(range(count), workers, slot) for slot in range(workers)] == shares


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "--workers must be at least 1, not 0"),
        ({"memory_per_cell": 1e6}, r"--memory_per_cell=1e\+06: this machine has [\d.]+ GB"),
    ],
)
def test_what_can_never_run_is_refused(options, message):
    with pytest.raises(contracts.LauncherError, match=message):
        local.Local(toy_sweep.COMMAND, **options)


def test_an_unknown_launcher_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'local'"):
        launchers.LAUNCHERS.build("lcal", command=())


HOLD = """
import sys, time
from fastslow import run_directory
import pathlib
held = b"x" * int({size} * 1e6)
print("ready", flush=True)
time.sleep(60)
"""


def start(launcher, out, seed):
    (cell,) = toy_sweep.plan(out, seed)
    cells.prepare(cell)
    launcher.start(cell)
    return cell


def show_event(cell):
    """Do as if the cell had come through an event."""
    (cell.directory / "config.json").write_text('{"config": {}, "events": 3}')
    (cell.directory / "records.jsonl").write_text('{"event": 0}\n')


@pytest.fixture
def holding():
    """Yield a maker of launchers whose cells hold 200 MB; stop what they start."""
    made = []

    def make(**options):
        made.append(local.Local((sys.executable, "-c", HOLD.format(size=200)), **options))
        return made[-1]

    yield make
    for launcher in made:
        launcher.stop()


def wait_ready(cell):
    while "ready" not in (cell.directory / "output.log").read_text():
        pass


def test_an_unknown_need_is_learnt_from_the_first_cell(tmp_path, holding, monkeypatch):
    launcher = holding(workers=2)
    assert launcher.wait_reason() == ""
    cell = start(launcher, tmp_path, 0)
    wait_ready(cell)
    assert "how much memory" in launcher.wait_reason()
    show_event(cell)
    assert launcher.wait_reason() == ""  # this machine has another 200 MB
    monkeypatch.setattr(memory, "available", lambda: int(150e6))
    reason = launcher.wait_reason()
    assert reason.startswith("waiting for memory: a cell needs 0.")
    monkeypatch.undo()
    start(launcher, tmp_path, 1)
    assert launcher.wait_reason() == "all workers are busy"


def test_what_earlier_cells_needed_is_known_from_the_start(tmp_path, holding, monkeypatch):
    (before,) = toy_sweep.plan(tmp_path, 1)
    cells.prepare(before)
    cells.record(before, cells.Attempt("failed", 1.0, None))
    cells.record(before, cells.Attempt("finished", 2.0, int(300e6)))
    known = cells.peak_bytes([before, *toy_sweep.plan(tmp_path, 0)])
    assert known == int(300e6)
    launcher = holding(workers=2, peak_seen=known)
    wait_ready(start(launcher, tmp_path, 0))
    assert launcher.wait_reason() == ""
    monkeypatch.setattr(memory, "available", lambda: int(250e6))
    assert launcher.wait_reason().startswith("waiting for memory: a cell needs 0.3 GB")


def test_a_given_need_holds_from_the_start(tmp_path, holding, monkeypatch):
    launcher = holding(workers=2, memory_per_cell=1.0)
    monkeypatch.setattr(memory, "available", lambda: int(0.9e9))
    assert "a cell needs 1.0 GB, 0.9 GB are left" in launcher.wait_reason()
    monkeypatch.setattr(memory, "available", lambda: int(1.5e9))
    assert launcher.wait_reason() == ""
    wait_ready(start(launcher, tmp_path, 0))
    assert "waiting for memory" in launcher.wait_reason()  # it may yet take another 800 MB


def test_memory_in_use_is_recorded(tmp_path, holding):
    launcher = holding()
    wait_ready(start(launcher, tmp_path, 0))
    assert launcher.ended() == []
    launcher._running[0].started.process.kill()
    launcher._running[0].started.process.wait()
    ((_, attempt),) = launcher.ended()
    assert attempt.outcome == "failed"
    assert 200e6 < attempt.peak_bytes < 600e6
