"""Carry out the cells of a sweep: start what fits, watch it, keep what went wrong, go on."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Sequence

from fastslow.sweep import board, cells, display
from fastslow.sweep.launchers import contracts

_MOST_LOSSES = 3  # times that a cell may lose the machine under it
_PAUSE = 0.3  # seconds between looks at the running cells


class Sweep:
    """A sweep in progress; `run` carries it out."""

    def __init__(
        self,
        planned: Sequence[cells.Cell],
        launcher: contracts.Launcher,
        shown: display.Display,
    ):
        self._launcher, self._display = launcher, shown
        self._cells = {cell.name: cell for cell in planned}
        self._board = {cell.name: board.row(cell) for cell in planned}
        self._waiting = collections.deque(
            cell for cell in planned if self._board[cell.name].state == "waiting"
        )
        self._losses: collections.Counter[str] = collections.Counter()

    def run(self) -> board.Board:
        """Run every cell that is not finished; return the final board.

        However this ends, no process is left behind, and everything can be resumed. A cell that
        fails is left for the next sweep. One that another process holds is passed over, and looked
        at again when there is nothing else to do.
        """
        try:
            while self._unfinished():
                note = self._start_what_fits()
                for ended in self._launcher.ended():
                    self._conclude(ended)
                self._refresh()
                self._display.show(self._board, note)
                time.sleep(_PAUSE)
        finally:
            self._launcher.stop()
        self._display.show(self._board, "")
        return self._board

    def _unfinished(self) -> bool:
        if not self._waiting and not self._running():
            self._look_elsewhere()
        return bool(self._waiting or self._running())

    def _running(self) -> list[str]:
        return [name for name, row in self._board.items() if row.state == "running"]

    def _look_elsewhere(self) -> None:
        """Take back the cells that another process held and left unfinished."""
        for name, row in self._board.items():
            if row.state == "elsewhere":
                cell = self._cells[name]
                self._board[name] = board.row(cell)
                if self._board[name].state == "waiting":
                    self._waiting.append(cell)

    def _start_what_fits(self) -> str:
        """Start cells until the launcher takes no more; return why it does not."""
        while self._waiting:
            reason = self._launcher.wait_reason()
            if reason:
                return reason
            cell = self._waiting.popleft()
            row = board.row(cell)  # another sweep may have been here since
            if row.state == "waiting":
                cells.prepare(cell)
                self._launcher.start(cell)
                row = dataclasses.replace(
                    row,
                    state="running",
                    started=time.monotonic(),
                    resumed_at=row.position.done,
                )
            self._board[cell.name] = row
        return ""

    def _conclude(self, ended: contracts.Ended) -> None:
        cell, attempt = ended
        if attempt.outcome == "lost":
            self._losses[cell.name] += 1
            if self._losses[cell.name] > _MOST_LOSSES:
                attempt = attempt._replace(outcome="failed")
            else:
                self._waiting.appendleft(cell)
        if attempt.outcome != "elsewhere":  # nothing was attempted
            cells.record(cell, attempt)
        states: dict[str, board.State] = {
            "finished": "finished",
            "elsewhere": "elsewhere",
            "lost": "waiting",
        }
        self._board[cell.name] = board.Row(
            states.get(attempt.outcome, "failed"),
            cells.position(cell.directory),
            cells.seconds(cell),
            error=attempt.error,
        )

    def _refresh(self) -> None:
        for name in self._running():
            position = cells.position(self._cells[name].directory)
            self._board[name] = dataclasses.replace(self._board[name], position=position)
