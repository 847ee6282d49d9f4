"""Run what a claim is judged on, judge it, and keep the result.

  python -m experiments.evidence --claim=fewer_steps
  ... --claim=all --seeds=0:5 --full --workers=4

Finished runs are not run again, those kept here included; unfinished ones are resumed; claims share
their runs, and those that were judged on runs that changed are judged again. Another model, data or
configuration makes other runs, other code does not. Without --full, everything is sized for two CPU
cores. Writes experiments/evidence/results/, and results/full/ with --full.
"""

from __future__ import annotations

import datetime
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Sequence

from absl import flags

from experiments import program
from experiments.evidence import claims, grids, results
from fastslow import checkpoint, registry, types
from fastslow.diagnostics import probing
from fastslow.report import runs

_CLAIMS = flags.DEFINE_list(
    "claim", None, f"Names of claims, or 'all': {', '.join(claims.CLAIMS)}.", required=True
)
_SEEDS = flags.DEFINE_string("seeds", "0:3", "Seeds of the runs, as in a sweep's grid.")
_FULL = flags.DEFINE_boolean("full", False, "Full size: for accelerators, or days.")
_OUT = flags.DEFINE_string("out", "runs/evidence", "Directory of the runs.")
_RESULTS = flags.DEFINE_string("results", str(results.ROOT), "Where the results are kept.")
_WORKERS = flags.DEFINE_integer("workers", 1, "Runs at a time.")
_DRY_RUN = flags.DEFINE_boolean(
    "dry_run", False, "Only list the runs, their state and the time; puts kept runs into --out."
)
_JUDGE_ONLY = flags.DEFINE_boolean("judge_only", False, "Judge the kept results; run nothing.")


def main(argv: Sequence[str]) -> None:
    """Run, judge and print."""
    program.reject_arguments(argv)
    names = list(claims.CLAIMS) if _CLAIMS.value == ["all"] else _CLAIMS.value
    for name in names:
        if name not in claims.CLAIMS:
            raise registry.unknown("claim", name, claims.CLAIMS)
    root = pathlib.Path(_RESULTS.value) / ("full" if _FULL.value else "")
    needed = dict.fromkeys(grid for name in names for grid in claims.CLAIMS[name].grids)
    probes = [probe for name in names for probe in claims.CLAIMS[name].probes]
    if not _JUDGE_ONLY.value:
        for grid in needed:
            sweep(grid, root, [probe for probe in probes if probe.grid == grid])
    if _DRY_RUN.value:
        return
    untold = []
    for name in [*names, *also_changed(names, root)]:
        try:
            conclude(name, root, name in names and not _JUDGE_ONLY.value)
        except results.ResultsError as error:
            untold.append(f"claim {name} cannot be judged: {error}")
    print(results.table(root))
    if untold:
        raise results.ResultsError("; ".join(untold))


def sweep(grid: str, root: pathlib.Path, probes: Sequence[grids.Probe]) -> None:
    """Run and probe what is missing of a grid and keep what is finished, also if some run fails."""
    results.lend(grid, root, program.folder(_OUT.value, "out"))
    command = sweep_command(grid)
    print("+", shlex.join(command), flush=True)
    ended = subprocess.run([sys.executable, *command[1:]], check=False)
    if _DRY_RUN.value:
        if ended.returncode:
            raise results.ResultsError(f"the runs of {grid} cannot be planned, see above")
        return

    def wanted(run: runs.Run) -> bool:
        return grids.GRIDS[grid].holds(run.config, full=_FULL.value)

    found = results.find([grid], program.folder(_OUT.value, "out"), wanted)
    for probe in probes:
        for run in found.get(f"{grid}/{probe.scheduler}", {}).values():
            ask(probe, run.directory)
    made = [run for of_method in found.values() for run in of_method.values()]
    if made:
        results.replace(grid, made, root, wanted)
    if ended.returncode:
        raise results.ResultsError(f"runs of {grid} failed, see above; the same command goes on")


def ask(probe: grids.Probe, directory: pathlib.Path) -> None:
    """Measure a diagnostic of a finished run; what it has measured so, the program shows again."""
    if checkpoint.latest(directory) is None:
        if not probing.path_of(directory, probe.what, None).exists():
            print(f"note: {directory} has no checkpoint left to ask for its {probe.what}")
        return
    command = ["python", "-m", "experiments.probe", f"--workdir={directory}"]
    command += [f"--what={probe.what}", *probe.flags]
    print("+", shlex.join(command), flush=True)
    subprocess.run([sys.executable, *command[1:]], check=True)


def sweep_command(grid: str) -> list[str]:
    """Return the command that runs a grid."""
    made = grids.GRIDS[grid].flags(_SEEDS.value, full=_FULL.value)
    out = program.folder(_OUT.value, "out") / grid
    command = ["python", "-m", "experiments.sweep", *made]
    command += [f"--out={out}", f"--workers={_WORKERS.value}"]
    return [*command, "--dry_run"] if _DRY_RUN.value else command


def also_changed(names: Sequence[str], root: pathlib.Path) -> list[str]:
    """Return the other claims that were judged before on runs of the same grids."""
    grids_of = {grid for name in names for grid in claims.CLAIMS[name].grids}
    return [
        name
        for name, claim in claims.CLAIMS.items()
        if name not in names and grids_of & {*claim.grids} and (root / f"{name}.json").exists()
    ]


def conclude(name: str, root: pathlib.Path, ran: bool) -> None:
    """Judge a claim on the kept runs and write the result; `ran`: by the running command."""
    judged = results.judge(name, results.find(claims.CLAIMS[name].grids, root))
    made: dict[str, types.Json] = {
        "command": f"python -m experiments.evidence --claim={name} --seeds={_SEEDS.value}"
        + (" --full" if _FULL.value else ""),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    if not ran:
        made |= results.made(name, root)  # what is judged again was run as it says
    results.write(name, judged, made, root)


if __name__ == "__main__":
    program.run_main(main, "the same command again goes on")
