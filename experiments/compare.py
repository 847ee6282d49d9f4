"""Compare finished runs: means over seeds and orders, intervals, differences, figures.

  python -m experiments.compare --runs='runs/*'
  python -m experiments.compare --runs='runs/*' --baseline=slow_only --at_equal=tokens --out=DIR
  python -m experiments.compare --runs='sweep/*' --by=scheduler,slow.learning_rate

One table row and one line in the figures per value of --by; the runs of one value may differ in
their seeds only.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from experiments import program
from fastslow.metrics import statistics
from fastslow.report import consoles
from fastslow.report.comparison import comparing, points, writing

_RUNS = flags.DEFINE_multi_string(
    "runs", None, "Pattern of run directories, quoted; may be given several times.", required=True
)
_BY = flags.DEFINE_list(
    "by", ["scheduler"], "Configuration keys that tell methods apart: scheduler,slow.learning_rate."
)
_METRIC = flags.DEFINE_list("metric", [], "Measures to show, by name. Default: all.")
_BASELINE = flags.DEFINE_string(
    "baseline", None, "Method that the others are held against, run by run of the same seeds."
)
_AT_EQUAL = flags.DEFINE_enum(
    "at_equal", None, list(points.UNITS), "Compare at the largest cost that all runs reached."
)
_INTERVAL = flags.DEFINE_enum(
    "interval", "t", list(statistics.INTERVALS), "How 95% intervals are made."
)
_OUT = flags.DEFINE_string("out", None, "Folder for tables (md, tex, csv) and figures.")


def main(argv: Sequence[str]) -> None:
    """Print the comparison, and write it where asked to."""
    program.reject_arguments(argv)
    comparison = comparing.compare(
        _RUNS.value,
        by=_BY.value,
        metrics=_METRIC.value,
        baseline=_BASELINE.value,
        at_equal=_AT_EQUAL.value,
        interval=_INTERVAL.value,
    )
    written = writing.write(comparison, _OUT.value) if _OUT.value else []
    writing.show(comparison, consoles.on(sys.stdout))
    if _OUT.value:
        print(f"{len(written)} files in {_OUT.value}")
    else:
        print("Tables and figures are written with --out=FOLDER")


if __name__ == "__main__":
    program.run_main(main)
