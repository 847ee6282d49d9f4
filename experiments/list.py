"""List everything that can be named in a flag or a configuration, one line each.

python -m experiments.list
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import table

from experiments import program
from fastslow import diagnostics, export, registry, scheduler, streams
from fastslow.fast import proposers
from fastslow.learners import language
from fastslow.lm import loading
from fastslow.report import consoles, trackers
from fastslow.slow import anchors, objectives
from fastslow.sweep import launchers

_SECTIONS: tuple[tuple[str, registry.Registry], ...] = (
    ("--model", loading.MODELS),
    ("--stream", streams.STREAMS),
    ("--scheduler", scheduler.SCHEDULERS),
    ("--fast", language.FAST_CHANNELS),
    ("--slow", language.SLOW_CHANNELS),
    ("config.slow.objective", objectives.OBJECTIVES),
    ("config.slow.anchors", anchors.ANCHORS),
    ("config.fast.proposers", proposers.PROPOSERS),
    ("export --what", export.FORMATS),
    ("probe --what", diagnostics.DIAGNOSTICS),
    ("--trackers", trackers.TRACKERS),
    ("sweep --launcher", launchers.LAUNCHERS),
)


def main(argv: Sequence[str]) -> None:
    """Print one table."""
    program.reject_arguments(argv)
    listing = table.Table("setting", "name", "what it is", box=None, pad_edge=False)
    for setting, plugins in _SECTIONS:
        for name, description in plugins.describe():
            listing.add_row(setting, name, description)
    consoles.on(sys.stdout).print(listing)


if __name__ == "__main__":
    program.run_main(main)
