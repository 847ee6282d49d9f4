"""Write the report of a run again from the files in its directory, also of an unfinished run.

python -m experiments.report --workdir=runs/mine
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from experiments import program
from fastslow.report import report

_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory.", required=True)


def main(argv: Sequence[str]) -> None:
    """Regenerate report.html and the pictures, and print the final table."""
    program.reject_arguments(argv)
    directory = program.folder(_WORKDIR.value, "workdir")
    report.write(directory)
    report.show(directory)


if __name__ == "__main__":
    program.run_main(main)
