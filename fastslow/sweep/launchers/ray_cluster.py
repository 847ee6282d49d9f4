"""Cells as tasks of a Ray cluster. Every node sees the sweep's directory under the same path."""

from __future__ import annotations

import logging
import os
import pathlib
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fastslow.sweep import cells, memory, process
from fastslow.sweep.launchers import contracts

_PASSED_ON = ("FASTSLOW_", "JAX_", "XLA_")  # variables that cells on other nodes get too


class RayCluster:
    """Run cells on a Ray cluster, each with the CPUs, GPUs and memory that it is said to need.

    With `ray_address` the cluster there, else one on this machine that ends with the sweep. As many
    cells run at a time as the cluster has CPUs for, or `workers`. A cell whose node or worker dies
    is started again on another one, where it resumes.
    """

    def __init__(
        self,
        command: Sequence[str],
        workers: int | None = None,
        memory_per_cell: float | None = None,
        ray_address: str | None = None,
        cpus_per_cell: float = 1.0,
        gpus_per_cell: float = 0.0,
    ):
        if cpus_per_cell <= 0:
            raise contracts.LauncherError(f"--cpus_per_cell must be positive, not {cpus_per_cell}")
        if workers is not None and workers < 1:
            raise contracts.LauncherError(f"--workers must be at least 1, not {workers}")
        needs = {"memory_per_cell": memory_per_cell or 0.0, "gpus_per_cell": gpus_per_cell}
        for name, amount in needs.items():
            if amount < 0:
                raise contracts.LauncherError(f"--{name} must not be negative, got {amount}")
        self._ray = _connected(ray_address)
        self._command, self._workers, self._cpus = command, workers, cpus_per_cell
        need = None if memory_per_cell is None else int(memory_per_cell * memory.GIGABYTE)
        self._task = self._ray.remote(
            max_retries=0, num_cpus=cpus_per_cell, num_gpus=gpus_per_cell, memory=need
        )(carry_out)
        self._running: dict[Any, tuple[cells.Cell, float]] = {}
        if workers is None and not self._room():
            raise contracts.LauncherError(
                f"--cpus_per_cell={cpus_per_cell:g}: the cluster has "
                f"{self._ray.cluster_resources().get('CPU', 0):g}"
            )

    def wait_reason(self) -> str:
        """Say that the cluster, or the number of workers asked for, is exhausted."""
        most = self._room() if self._workers is None else self._workers
        return (
            "" if len(self._running) < most else f"{most} cells at a time is all there is room for"
        )

    def start(self, cell: cells.Cell) -> None:
        """Hand the cell to the cluster."""
        passed = {k: v for k, v in os.environ.items() if k.startswith(_PASSED_ON)}
        directory = str(cell.directory.absolute())
        reference = self._task.remote(list(self._command), directory, passed, os.getcwd())
        self._running[reference] = (cell, time.monotonic())

    def ended(self) -> list[contracts.Ended]:
        """Return the cells whose task has ended."""
        if not self._running:
            return []
        pending = list(self._running)
        ready, _ = self._ray.wait(pending, num_returns=len(pending), timeout=0)
        return [contracts.Ended(self._running[each][0], self._conclude(each)) for each in ready]

    def stop(self) -> None:
        """Cancel what is running; with its worker, a cell's process ends."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._ray.wait(list(self._running), num_returns=len(self._running), timeout=10)
        self._ray.shutdown()

    def _room(self) -> int:
        """Return for how many cells the cluster has CPUs."""
        return int(self._ray.cluster_resources().get("CPU", 0) // self._cpus)

    def _conclude(self, reference: Any) -> cells.Attempt:
        _, since = self._running.pop(reference)
        try:
            return cells.Attempt(*self._ray.get(reference))
        except self._ray.exceptions.RayTaskError as error:  # not the cell: the starting of it
            return cells.Attempt("failed", time.monotonic() - since, error=_line(error.cause))
        except self._ray.exceptions.RayError as error:
            return cells.Attempt("lost", time.monotonic() - since, error=_line(error))


def _line(error: BaseException) -> str:
    return textwrap.shorten(f"{type(error).__name__}: {error}", 200)


def _connected(address: str | None) -> Any:
    try:
        import ray
    except ImportError as error:
        raise contracts.LauncherError("--launcher=ray needs Ray: pip install ray") from error
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, ValueError) as error:
        raise contracts.LauncherError(f"no Ray cluster at {address!r}: {error}") from error
    return ray


def carry_out(
    command: Sequence[str], directory: str, environment: Mapping[str, str], working_directory: str
) -> tuple[Any, ...]:
    """Run a cell to its end in a process of its own, on the node where this is called.

    Return the fields of a `cells.Attempt`.
    """
    began = time.monotonic()
    started = process.start(
        command,
        pathlib.Path(directory),
        environment=environment,
        working_directory=working_directory,
    )
    started.process.wait()
    return tuple(process.conclude(started, time.monotonic() - began))
