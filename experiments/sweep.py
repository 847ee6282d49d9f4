"""Run a grid of experiments, each in a directory and a process of its own; resume what is broken.

  python -m experiments.sweep --out=runs/grid \\
      --grid='scheduler=slow_only,interleave;seed=0:5;config.slow.learning_rate=1e-4,5e-4'
  ... --dry_run
  ... --workers=4 --memory_per_cell=3
  ... --launcher=ray --ray_address=auto

Axes are separated by semicolons, values by commas; `0:5` is 0,1,2,3,4; a value is a Python literal
or a word; a bracketed list or tuple is one value: config.stream.tasks=('a','b'),('a','c'). A key is
model, stream, scheduler, fast, slow, seed, order_seed or config.section.key. Flags of a run that
are not in the grid hold for every cell.

The same command again skips what is finished, resumes what is not, and tries again what failed.
Exit status 1 if a cell failed; its directory has error.txt and output.log.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from experiments import program, run_flags
from fastslow import config
from fastslow.report import trackers
from fastslow.sweep import cells, display, dry_run, grid, launchers, sweep

flags.adopt_module_key_flags(run_flags)
_GRID = flags.DEFINE_string("grid", None, "key=value,value;key=value,value ...", required=True)
_OUT = flags.DEFINE_string("out", None, "Directory of the sweep.", required=True)
_DRY_RUN = flags.DEFINE_boolean("dry_run", False, "Only list the cells, their state and the time.")
_LAUNCHER = flags.DEFINE_string("launcher", "local", "Where cells run: local, ray.")
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Cells at a time. Default: 1 locally, on Ray what the cluster has CPUs for."
)
_MEMORY = flags.DEFINE_float(
    "memory_per_cell", None, "GB a cell needs. Default: what the first cells are seen to use."
)
_RAY_ADDRESS = flags.DEFINE_string(
    "ray_address", None, "Ray cluster to use. Default: a new one on this machine."
)
_CPUS = flags.DEFINE_float("cpus_per_cell", 1.0, "CPUs that Ray gives to a cell.")
_GPUS = flags.DEFINE_float("gpus_per_cell", 0.0, "GPUs that Ray gives to a cell.")


def main(argv: Sequence[str]) -> None:
    """Plan the cells, then list or run them."""
    program.reject_arguments(argv)
    planned = plan()
    trackers.check(run_flags.TRACKERS.value)
    if _DRY_RUN.value:
        dry_run.print_plan(planned)
        return
    given = {flag.name: flag.value for flag in (_RAY_ADDRESS, _CPUS, _GPUS) if flag.present}
    launcher = launchers.LAUNCHERS.build(
        _LAUNCHER.value,
        given,  # what a launcher does not know is an error, and not passed over
        command=cell_command(run_flags.TRACKERS.value, run_flags.KEEP_CHECKPOINTS.value),
        workers=_WORKERS.value,
        memory_per_cell=_MEMORY.value,
        peak_seen=cells.peak_bytes(planned),
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C
    with display.opened() as shown:
        final = sweep.Sweep(planned, launcher, shown).run()
    display.print_table(final)
    if any(row.state == "failed" for row in final.values()):
        raise SystemExit(1)


def cell_command(track: Sequence[str], keep: int) -> tuple[str, ...]:
    """Return the command that runs a prepared cell, but for its directory."""
    program = (sys.executable, "-m", "experiments.cell", "--leash", f"--keep_checkpoints={keep}")
    return (*program, f"--trackers={','.join(track)}") if track else program


def plan() -> list[cells.Cell]:
    """Return the cells of the grid; each note about their configurations is printed once."""
    notes: dict[str, None] = {}

    def resolve(point: Mapping[str, Any]) -> config.Run:
        return run_flags.resolve(point, note=lambda text: notes.setdefault(text))

    points = grid.points(grid.parse(_GRID.value))
    planned = cells.plan(program.folder(_OUT.value, "out"), points, resolve)
    for note in notes:
        print(note, file=sys.stderr)
    return planned


if __name__ == "__main__":
    program.run_main(main, "the same command again goes on with the sweep")
