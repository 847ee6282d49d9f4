"""Run one cell of a sweep, which `experiments.sweep` has prepared; that program starts this one.

python -m experiments.cell --workdir=runs/grid/CELL
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from experiments import program
from fastslow import checkpoint, computing, run_directory, session
from fastslow.sweep import cells, process

_WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the cell.", required=True)
_TRACKERS = flags.DEFINE_list("trackers", [], "Report live to these too.")
_KEEP_CHECKPOINTS = flags.DEFINE_integer(
    "keep_checkpoints", checkpoint.KEEP, "0: all.", lower_bound=0
)
_LEASH = flags.DEFINE_boolean("leash", False, "End as soon as standard input closes.")


def main(argv: Sequence[str]) -> None:
    """Begin the run of the cell, or go on with it."""
    program.reject_arguments(argv)
    computing.prepare()
    if _LEASH.value:
        process.die_with(sys.stdin.fileno())
    directory = pathlib.Path(_WORKDIR.value)
    try:
        session.run(
            cells.read_settings(directory),
            directory,
            resume=True,
            track=_TRACKERS.value,
            keep=_KEEP_CHECKPOINTS.value,
        )
    except run_directory.InUseError as error:
        print(error, file=sys.stderr)
        raise SystemExit(process.IN_USE_STATUS) from error


if __name__ == "__main__":
    program.run_main(main)
