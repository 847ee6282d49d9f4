"""What a launcher is: it carries out cells, somewhere, several at a time."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from fastslow import config
from fastslow.sweep import cells


class LauncherError(config.ConfigError):
    """A launcher cannot be used as asked; the message says why and what to do."""


class Ended(NamedTuple):
    """A cell that no process works on any more."""

    cell: cells.Cell
    attempt: cells.Attempt


class Launcher(Protocol):
    """Start cells and tell when they end. Whoever uses it calls `stop` at the end."""

    def wait_reason(self) -> str:
        """Say why no other cell can start now; "" if one can."""
        ...

    def start(self, cell: cells.Cell) -> None:
        """Start a prepared cell, resuming what is in its directory."""
        ...

    def ended(self) -> list[Ended]:
        """Return the cells that have ended since the last call, at once."""
        ...

    def stop(self) -> None:
        """Stop what is running; it stays resumable."""
        ...
