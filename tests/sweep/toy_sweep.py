"""Cells of the toy learner, and the command that runs them."""

import sys

from fastslow import config
from fastslow.report import records
from fastslow.sweep import cells, sweep
from fastslow.sweep.launchers import local

COMMAND = (sys.executable, "-m", "tests.sweep.toy_cell")
EVENTS = 13  # of toy.Stream: six lessons, and evaluations around them


def settings(point):
    plugin = config.Plugin
    return config.Run(
        seed=point.get("seed", 0),
        order_seed=point.get("order_seed", 0),
        model=plugin("toy"),
        stream=plugin("toy", {"tasks": ("a", "b")}),
        scheduler=plugin("interleave", {"fast_budget": 2, "slow_steps": 2}),
        fast=plugin("toy"),
        slow=plugin("toy", {"learning_rate": 1e-4}),
        evaluation=config.Evaluation(),
    )


def plan(out, *seeds):
    return cells.plan(out, [{"seed": seed} for seed in seeds], settings)


class Recorder:
    """Keep every board that was shown."""

    def __init__(self):
        self.boards = []

    def show(self, shown, note):
        self.boards.append(dict(shown))


def run(planned, launcher=None, shown=None):
    return sweep.Sweep(planned, launcher or local.Local(COMMAND), shown or Recorder()).run()


def rows(cell):
    return [records.comparable(row) for row in records.read(cell.directory)]
