"""Processes: their cores, their end with their starter's, and what is said of a failure."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from fastslow import run_directory
from fastslow.sweep import process


def command(script):
    return (sys.executable, "-c", script)


def begin(tmp_path, script, **options):
    started = process.start(command(script), tmp_path, **options)
    started.process.wait(30)
    return started


def test_a_process_sees_its_cores_environment_and_directory_argument(tmp_path):
    before = os.sched_getaffinity(0)
    core = min(before)
    script = (
        "import json, os, sys\n"
        "print(json.dumps([list(os.sched_getaffinity(0)), os.environ['WORD'], sys.argv[1:],"
        " os.getcwd()]))"
    )
    begin(
        tmp_path,
        script,
        cores=(core,),
        environment={"WORD": "yes"},
        working_directory=str(tmp_path),
    )
    seen = json.loads((tmp_path / "output.log").read_text())
    assert seen == [[core], "yes", [f"--workdir={tmp_path}"], str(tmp_path)]
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("import sys; print('error: bad\\nbye'); sys.exit(2)", "exit status 2: error: bad"),
        ("print('working')\nraise ValueError('oh')", "exit status 1: ValueError: oh"),
        ("import sys; sys.exit(3)", "exit status 3: it printed nothing"),
        ("print('all well')", "exit status 0: all well"),  # and yet there is no DONE
    ],
)
def test_a_failure_is_one_line(tmp_path, script, error):
    (tmp_path / "output.log").write_text("error: of an earlier attempt\n")
    attempt = process.conclude(begin(tmp_path, script), 1.5, 10)
    assert attempt[:4] == ("failed", 1.5, 10, error)
    assert "earlier" not in attempt.details
    assert "earlier" in (tmp_path / "output.log").read_text()


def test_a_process_that_finds_the_directory_held_has_not_failed(tmp_path):
    started = begin(tmp_path, f"import sys; sys.exit({process.IN_USE_STATUS})")
    assert process.conclude(started, 1.0).outcome == "elsewhere"


def test_finished_is_what_left_the_mark(tmp_path):
    started = begin(tmp_path, "")
    run_directory.mark_done(tmp_path)
    assert process.conclude(started, 1.0) == ("finished", 1.0, None, "", "")


def alive(pid):
    state = pathlib.Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_killed_starter_takes_its_process_along(tmp_path):
    child = (
        "import os, sys, time\n"
        "from fastslow.sweep import process\n"
        "process.die_with(sys.stdin.fileno())\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(60)"
    )
    script = (
        "import pathlib, sys, time\n"
        "from fastslow.sweep import process\n"
        f"process.start({command(child)!r}, pathlib.Path({str(tmp_path)!r}))\n"
        "time.sleep(60)"
    )
    starter = subprocess.Popen(command(script))
    log = tmp_path / "output.log"
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    pid = int(log.read_text())
    assert alive(pid)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    wait_until(lambda: not alive(pid))


def test_stop_ends_also_those_who_will_not_and_their_children(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_PATIENCE", 0.5)
    script = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    started = process.start(command(script), tmp_path)
    log = tmp_path / "output.log"
    wait_until(lambda: log.read_text().endswith("\n"))
    child = int(log.read_text())
    process.stop([started])
    assert started.process.returncode == -signal.SIGKILL
    wait_until(lambda: not alive(child))
