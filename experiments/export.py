"""Export what a run has learned, for use with other libraries; also of an unfinished run.

  python -m experiments.export --workdir=runs/mine --out=mine
  python -m experiments.export --workdir=runs/mine --out=mine --what=prompts,adapter,base

Formats: `python -m experiments.list`.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from experiments import program
from fastslow import computing
from fastslow.export import export

_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory.", required=True)
_OUT = flags.DEFINE_string("out", None, "Directory to write, new or empty.", required=True)
_WHAT = flags.DEFINE_list("what", ["prompts", "merged"], "Formats, separated by commas.")
_EVENT = flags.DEFINE_integer(
    "event", None, "After how many events; of those with a checkpoint. Default: the last."
)
_DTYPE = flags.DEFINE_string(
    "dtype",
    None,
    "Of whole models. Default: that of the base model; float32 rounds nothing of a small delta.",
)


def main(argv: Sequence[str]) -> None:
    """Write the formats, and print how to load them."""
    program.reject_arguments(argv)
    computing.prepare()
    workdir = program.folder(_WORKDIR.value, "workdir")
    out = program.folder(_OUT.value, "out")
    print(export.write(workdir, out, _WHAT.value, position=_EVENT.value, dtype=_DTYPE.value))


if __name__ == "__main__":
    program.run_main(main)
