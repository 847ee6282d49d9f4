"""Cells as processes of this machine, which share its cores and its memory."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Sequence

from fastslow.sweep import cells, memory, process
from fastslow.sweep.launchers import contracts


@dataclasses.dataclass
class _Running:
    cell: cells.Cell
    started: process.Started
    slot: int
    since: float
    events_before: int
    held: int = 0  # bytes
    peak: int = 0  # bytes


class Local:
    """Run up to `workers` cells at a time on this machine, each on its share of the cores.

    A cell starts only if there is memory for it: `memory_per_cell` GB, or else as much as the
    hungriest cell so far was seen to use, in sweeps before (`peak_seen` bytes) or in this one.
    Where that is not known, a first cell runs alone until it has come through an event, and with
    that shown what it needs.
    """

    def __init__(
        self,
        command: Sequence[str],
        workers: int | None = None,
        memory_per_cell: float | None = None,
        peak_seen: int = 0,
    ):
        self._command = command
        self._workers = 1 if workers is None else workers
        if self._workers < 1:
            raise contracts.LauncherError(f"--workers must be at least 1, not {workers}")
        self._given = None if memory_per_cell is None else memory_per_cell * memory.GIGABYTE
        if self._given is not None and not 0 <= self._given <= memory.total():
            raise contracts.LauncherError(
                f"--memory_per_cell={memory_per_cell:g}: this machine has "
                f"{memory.total() / memory.GIGABYTE:.1f} GB"
            )
        self._observed = peak_seen
        self._running: list[_Running] = []

    def wait_reason(self) -> str:
        """Say that all workers are busy, or which memory is missing."""
        if len(self._running) >= self._workers:
            return "all workers are busy"
        if self._given is None and not self._running:
            return ""  # nothing of ours will free any memory
        self._measure()
        if self._given is None and not self._observed:
            return "waiting to see how much memory the first cell needs"
        need = self._observed if self._given is None else self._given
        return memory.shortage(need, memory.available(), [each.held for each in self._running])

    def start(self, cell: cells.Cell) -> None:
        """Start a process on the cores of a free slot."""
        slot = min(set(range(self._workers)) - {each.slot for each in self._running})
        share = cores(_all_cores(), self._workers, slot)
        started = process.start(self._command, cell.directory, cores=share)
        events = cells.position(cell.directory).done
        self._running.append(_Running(cell, started, slot, time.monotonic(), events))

    def ended(self) -> list[contracts.Ended]:
        """Return the cells whose process has ended."""
        self._measure()
        over = [each for each in self._running if each.started.process.poll() is not None]
        self._running = [each for each in self._running if each not in over]
        return [contracts.Ended(each.cell, self._conclude(each)) for each in over]

    def stop(self) -> None:
        """Stop all processes."""
        process.stop([each.started for each in self._running])

    def _measure(self) -> None:
        for each in self._running:
            each.held = memory.in_use(each.started.process.pid)
            each.peak = max(each.peak, each.held)
            if cells.position(each.cell.directory).done > each.events_before:
                self._observed = max(self._observed, each.peak)

    def _conclude(self, each: _Running) -> cells.Attempt:
        attempt = process.conclude(each.started, time.monotonic() - each.since, each.peak)
        if attempt.outcome == "finished":
            self._observed = max(self._observed, each.peak)
        return attempt


def _all_cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cores(every: Sequence[int], workers: int, slot: int) -> tuple[int, ...]:
    """Return the cores of a slot: its share of all; one, not its own, if there are too few."""
    if workers > len(every):
        return (every[slot % len(every)],)
    return tuple(every[slot * len(every) // workers : (slot + 1) * len(every) // workers])
