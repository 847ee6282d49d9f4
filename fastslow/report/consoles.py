"""Where tables are printed: as wide as the terminal, and wide enough not to wrap in a log."""

from __future__ import annotations

import os
from typing import TextIO

import rich.console

LOG_WIDTH = 160


def on(output: TextIO) -> rich.console.Console:
    """Return a console on `output`; files and pipes have no width: $COLUMNS, else LOG_WIDTH."""
    known = output.isatty() or "COLUMNS" in os.environ
    return rich.console.Console(file=output, width=None if known else LOG_WIDTH)
