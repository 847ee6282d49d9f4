"""What is known of every cell while a sweep goes on, and what follows for the time left."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias

from fastslow.sweep import cells

State: TypeAlias = Literal["waiting", "running", "finished", "failed", "elsewhere"]
STATES: tuple[State, ...] = ("waiting", "running", "finished", "failed", "elsewhere")


@dataclasses.dataclass(frozen=True)
class Row:
    """One cell."""

    state: State
    position: cells.Position
    seconds: float | None = None  # all finished attempts; None if there was none
    started: float | None = None  # of the current attempt, on the board's clock
    resumed_at: int = 0  # events that were done when the current attempt started
    error: str = ""


Board: TypeAlias = Mapping[str, Row]  # by the cell's name, in the order of the grid


def row(cell: cells.Cell) -> Row:
    """Return the row of a cell before this sweep has touched it."""
    found = cells.state(cell)
    known: State = found if found in ("finished", "elsewhere") else "waiting"
    return Row(known, cells.position(cell.directory), cells.seconds(cell))


def counts(board: Board) -> dict[State, int]:
    """Return how many cells are in each state that occurs."""
    found = Counter(each.state for each in board.values())
    return {each: found[each] for each in STATES if found[each]}


def mean_seconds(board: Board) -> float | None:
    """Return how long finished cells took on average; None if none is known."""
    known = [r.seconds for r in board.values() if r.state == "finished" and r.seconds is not None]
    return statistics.fmean(known) if known else None


def elapsed(row: Row, now: float) -> float | None:
    """Return the seconds spent on a cell, those of a current attempt included."""
    current = None if row.started is None else now - row.started
    known = [seconds for seconds in (row.seconds, current) if seconds is not None]
    return sum(known) if known else None


def seconds_left(row: Row, now: float) -> float | None:
    """Return what a running cell will still take if its events go on as fast; None if unknown."""
    done, total = row.position
    if row.started is None or total is None or done <= row.resumed_at:
        return None
    return (now - row.started) / (done - row.resumed_at) * (total - done)


def total_left(board: Board, now: float) -> float | None:
    """Return what the whole sweep will still take, None if that is unknown or nothing is left.

    Waiting cells are expected to take the mean of the finished ones, and as many to run at a time
    as run now.
    """
    mean = mean_seconds(board)
    running = [r for r in board.values() if r.state == "running"]
    waiting = sum(r.state == "waiting" for r in board.values())
    if not running and not waiting:
        return None
    lefts = [seconds_left(r, now) for r in running]
    if mean is not None:
        lefts = [
            max(0.0, mean - (elapsed(r, now) or 0.0)) if left is None else left
            for r, left in zip(running, lefts, strict=True)
        ]
    if any(left is None for left in lefts) or (waiting and mean is None):
        return None
    work = sum(left for left in lefts if left is not None) + waiting * (mean or 0.0)
    return work / max(1, len(running))
