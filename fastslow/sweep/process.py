"""A cell in a process of its own: started, limited to some cores, stopped, and understood."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fastslow import files, run_directory
from fastslow.sweep import cells

IN_USE_STATUS = 75  # EX_TEMPFAIL: another process holds the run directory
_PATIENCE = 10.0  # seconds between asking a process to stop and stopping it
_TAIL_LINES = 40


class Started(NamedTuple):
    """A process, and from where on the log is its own."""

    process: subprocess.Popen[bytes]
    directory: pathlib.Path
    log_start: int


def start(
    command: Sequence[str],
    directory: pathlib.Path,
    *,
    cores: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
    working_directory: str | None = None,
) -> Started:
    """Start `command --workdir=directory`, its output going to output.log.

    The process is its group's leader, so that Ctrl-C does not reach it behind our back, and its
    standard input is a pipe that closes when this process ends, however it ends: see `die_with`.
    """
    with files.naming(directory / "output.log"), open(directory / "output.log", "ab") as log:
        with _confined(cores):
            process = subprocess.Popen(
                [*command, f"--workdir={directory}"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=None if environment is None else {**os.environ, **environment},
                cwd=working_directory,
            )
        return Started(process, directory, log.tell())


@contextlib.contextmanager
def _confined(cores: Sequence[int]) -> Iterator[None]:
    """Let processes started in the block use only these cores, and count only them.

    The affinity is inherited at the fork, before a library can start a thread per core.
    """
    if not cores or not hasattr(os, "sched_setaffinity"):  # not on macOS
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def die_with(parent_pipe: int) -> None:
    """End this process when the other end of the pipe closes, that is when its starter ends.

    For the process that `start` starts. Ends it at once, as SIGKILL would: a run resumes from that.
    """

    def watch() -> None:
        while os.read(parent_pipe, 1):
            pass
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="die_with").start()


def stop(started: Sequence[Started]) -> None:
    """Ask the processes with all their children to end, then make them."""
    for each in started:
        _signal(each.process, signal.SIGTERM)
    for each in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            each.process.wait(_PATIENCE)
        _signal(each.process, signal.SIGKILL)
        each.process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def conclude(started: Started, seconds: float, peak_bytes: int | None = None) -> cells.Attempt:
    """Return what came of a process that has ended."""
    status = started.process.returncode
    if status == 0 and run_directory.is_done(started.directory):
        return cells.Attempt("finished", seconds, peak_bytes)
    if status == IN_USE_STATUS:
        return cells.Attempt("elsewhere", seconds, peak_bytes)
    with open(started.directory / "output.log", "rb") as log:
        log.seek(started.log_start)
        lines = log.read().decode("utf-8", "replace").splitlines()
    tail = lines[-_TAIL_LINES:]
    return cells.Attempt("failed", seconds, peak_bytes, _error(status, tail), "\n".join(tail))


def _error(status: int, tail: Sequence[str]) -> str:
    """Return one line: the program's own error line if it wrote one, else its last line."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    own = [line for line in tail if line.startswith("error: ")]
    last = [line.strip() for line in tail if line.strip()]
    return f"exit status {status}: {(own or last or ['it printed nothing'])[-1]}"
