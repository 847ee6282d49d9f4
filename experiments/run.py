"""Run one continual-learning experiment: a stream of tasks, two channels, one scheduler.

  python -m experiments.run
  python -m experiments.run --scheduler=slow_only --seed=1 --workdir=runs/slow
  python -m experiments.run --config.slow.learning_rate=1e-4 --stream=my.module:factory
  python -m experiments.run --resume --workdir=runs/slow   as that run was configured

Names: `python -m experiments.list`. Every key of the configuration file can be set as
--config.section.key=value.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from experiments import program, run_flags, settings
from fastslow import computing, config, reopening, run_directory, session

flags.adopt_module_key_flags(run_flags)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Run directory. Default: a name under runs/ made from the configuration."
)
_RESUME = flags.DEFINE_boolean("resume", False, "Go on with the run in the run directory.")


def main(argv: Sequence[str]) -> None:
    """Resolve the configuration, then hand over to the library."""
    program.reject_arguments(argv)
    computing.prepare()
    run, workdir = _asked()
    session.run(
        run,
        workdir,
        resume=_RESUME.value,
        track=run_flags.TRACKERS.value,
        keep=run_flags.KEEP_CHECKPOINTS.value,
    )


def _asked() -> tuple[config.Run, pathlib.Path]:
    """Return what to run and where; a directory alone is resumed as it was configured."""
    given = None if _WORKDIR.value is None else program.folder(_WORKDIR.value, "workdir")
    if given and _RESUME.value and not run_flags.described():
        if run_directory.is_begun(given):
            return reopening.settings(given), given
        if not run_directory.is_claimed(given):
            raise run_directory.RunDirectoryError(
                f"{given} holds no run to go on with: without --resume, one is begun there"
            )
        told = f"note: {given} holds nothing to go on with yet; beginning the default configuration"
        print(told, file=sys.stderr, flush=True)
    run = run_flags.resolve()
    return run, given or pathlib.Path(settings.default_workdir(run_flags.CONFIG, run))


if __name__ == "__main__":
    program.run_main(main)
