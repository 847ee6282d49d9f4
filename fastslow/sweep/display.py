"""The table of a sweep: live on a terminal, plain lines in a log, and whole at the end."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TextIO

import rich.console
import rich.live
import rich.table
import rich.text

from fastslow.report import consoles, wording
from fastslow.sweep import board, cells

Clock = Callable[[], float]
_STYLE = {"failed": "bold red", "finished": "green", "running": "bold", "elsewhere": "yellow"}
_EVERY = 60.0  # seconds between summaries in a log


class Display(Protocol):
    """Shows a board."""

    def show(self, shown: board.Board, note: str) -> None:
        """Show the state of the sweep, and a note on why nothing more is started."""
        ...


class Plain:
    """Write a line for every cell that starts or ends, and a summary every minute."""

    def __init__(self, write: Callable[[str], None], clock: Clock = time.monotonic):
        self._write, self._clock = write, clock
        self._before: board.Board = {}
        self._summarised = clock()

    def show(self, shown: board.Board, note: str) -> None:
        """Write what has changed since the last call."""
        now = self._clock()
        if not self._before:
            self._write(summary(shown, now, ""))
        for name, row in shown.items():
            before = self._before.get(name)
            same = before.state == row.state if before else row.state in ("waiting", "finished")
            if not same:
                self._write(
                    "  ".join(filter(None, [described(row.state), name, *_facts(row, now)]))
                )
        self._before = dict(shown)
        if now - self._summarised >= _EVERY:
            self._summarised = now
            self._write(summary(shown, now, note))


class Live:
    """Show what runs and what failed, with rich; the rest as counts."""

    def __init__(self, live: rich.live.Live, clock: Clock = time.monotonic):
        self._live, self._clock = live, clock
        self._board: board.Board = {}
        self._note = ""

    def __rich__(self) -> rich.console.RenderableType:
        now = self._clock()
        active = {n: r for n, r in self._board.items() if r.state in ("running", "failed")}
        line = rich.text.Text(summary(self._board, now, self._note), overflow="ellipsis")
        return rich.console.Group(table(active, now), line)

    def show(self, shown: board.Board, note: str) -> None:
        """Take the board over; it is drawn at the next refresh."""
        self._board, self._note = dict(shown), note


@contextlib.contextmanager
def opened(stream: TextIO | None = None) -> Iterator[Display]:
    """Yield a live table if `stream` (default standard error) is a terminal, else plain lines."""
    output = sys.stderr if stream is None else stream
    if not output.isatty():
        yield Plain(lambda line: print(line, file=output, flush=True))
        return
    console = rich.console.Console(file=output)
    with rich.live.Live(console=console, refresh_per_second=2, transient=True) as live:
        shown = Live(live)
        live.update(shown)
        yield shown


def table(shown: board.Board, now: float) -> rich.table.Table:
    """Return one line per cell."""
    made = rich.table.Table(box=None, pad_edge=False)
    made.add_column("cell", overflow="fold")
    for heading in ("state", "events", "time", "left"):
        made.add_column(heading, no_wrap=True)
    made.add_column("error", overflow="fold")
    for name, row in shown.items():
        left = wording.duration(board.seconds_left(row, now)) if row.state == "running" else ""
        elapsed = wording.duration(board.elapsed(row, now))
        state = rich.text.Text(described(row.state), style=_STYLE.get(row.state, ""))
        made.add_row(name, state, events(row.position), elapsed, left, rich.text.Text(row.error))
    return made


def summary(shown: board.Board, now: float, note: str) -> str:
    """Return one line: "3 running, 2 finished; about 4 min 10 s left; waiting for memory"."""
    counts = ", ".join(f"{n} {described(state)}" for state, n in board.counts(shown).items())
    left = board.total_left(shown, now)
    time_left = "" if left is None else f"about {wording.duration(left)} left"
    return "; ".join(filter(None, [counts, time_left, note]))


def described(state: board.State) -> str:
    """Return the state in words."""
    return "running elsewhere" if state == "elsewhere" else state


def events(position: cells.Position) -> str:
    """Return "event 3 of 9" in short."""
    return f"{position.done} of {wording.MISSING if position.total is None else position.total}"


def _facts(row: board.Row, now: float) -> list[str]:
    if row.state == "running":
        return [f"from {events(row.position)} events"] * bool(row.position.done)
    spent = board.elapsed(row, now)
    time_taken = "" if spent is None else wording.duration(spent)
    return [f"{events(row.position)} events", time_taken, row.error]


def print_table(shown: board.Board, stream: TextIO | None = None) -> None:
    """Print all cells, to standard output by default."""
    output = sys.stdout if stream is None else stream
    console = consoles.on(output)
    console.print(table(shown, time.monotonic()))
    console.print(summary(shown, time.monotonic(), ""), highlight=False)
