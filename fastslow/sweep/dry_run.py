"""What a sweep would do: its cells, where they are, how far, and how long the rest may take."""

from __future__ import annotations

import collections
import sys
from collections.abc import Sequence

import rich.console
import rich.table

from fastslow.report import consoles, wording
from fastslow.sweep import cells, display


def print_plan(planned: Sequence[cells.Cell], console: rich.console.Console | None = None) -> None:
    """Print one line per cell, then the totals and the estimate."""
    console = consoles.on(sys.stdout) if console is None else console
    table = rich.table.Table("directory", "state", "events", box=None, pad_edge=False)
    table.columns[0].overflow = "fold"
    states = [cells.state(cell) for cell in planned]
    for cell, state in zip(planned, states, strict=True):
        position = cells.position(cell.directory)
        table.add_row(str(cell.directory), state, display.events(position))
    console.print(table)
    counts = collections.Counter(states)
    listed = ", ".join(f"{number} {state}" for state, number in counts.items())
    console.print(f"{wording.count(len(planned), 'cell')}: {listed}")
    console.print(estimate(len(planned) - counts["finished"], cells.mean_seconds(planned)))


def estimate(left: int, mean_seconds: float | None) -> str:
    """Return a line about the time that `left` cells take, one after the other; 0 take none."""
    told = f"{wording.count(left, 'cell')} left"
    if left == 0:
        return told
    if mean_seconds is None:
        return f"{told}; the time is unknown until one has finished"
    together = wording.duration(left * mean_seconds)
    return f"{told}, {wording.duration(mean_seconds)} each: {together} of work"
