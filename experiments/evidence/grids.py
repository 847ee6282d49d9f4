"""The runs behind the claims: grids of cells, shared by all claims that look at them."""

from __future__ import annotations

import pathlib
import runpy
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastslow import config as config_lib

_CONFIGS = pathlib.Path(__file__).parent / "configs"


class Probe(NamedTuple):
    """A diagnostic of a grid's finished runs of one scheduler, with flags of experiments.probe."""

    grid: str
    scheduler: str
    what: str
    flags: tuple[str, ...] = ()


class Grid(NamedTuple):
    """One configuration under several schedulers.

    `full` are values of `config.*` keys that make runs sized for an answer of runs sized for two
    CPU cores and an evening; `more` are schedulers that no claim needs, at full size only.
    """

    config: pathlib.Path
    schedulers: tuple[str, ...]
    more: tuple[str, ...]
    full: Mapping[str, int]

    def flags(self, seeds: str, *, full: bool) -> list[str]:
        """Return the flags that a sweep over this grid takes."""
        sizes = self.full if full else {}
        axes = {"seed": seeds, "scheduler": ",".join(self.schedulers + self.more * full)}
        return [
            f"--config={self.config}",
            *(f"--config.{key}={value}" for key, value in sizes.items()),
            "--grid=" + ";".join(f"{key}={values}" for key, values in axes.items()),
        ]

    def configuration(self, *, full: bool) -> dict[str, Any]:
        """Return what the cells share, in the JSON form of a run's configuration."""
        made = runpy.run_path(str(self.config))["get_config"]()
        made.update_from_flattened_dict(self.full if full else {})
        return config_lib.to_json(config_lib.from_mapping(config_lib.Run, made.to_dict()))

    def holds(self, configuration: Mapping[str, Any], *, full: bool) -> bool:
        """Whether a run's configuration is that of a cell, whatever its seeds and scheduler.

        What the schedulers share, their budgets, must be the same too.
        """
        own = self.configuration(full=full)
        given, budgets = configuration["scheduler"], own["scheduler"]
        return not differences(own, configuration) and all(
            given.get(name, value) == value for name, value in budgets.items() if name != "name"
        )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List "path: old -> new" for what runs of one grid must have in common but have not."""

    def shared(configuration: Mapping[str, Any]) -> dict[str, Any]:
        apart = ("seed", "order_seed", "scheduler")
        return {key: value for key, value in configuration.items() if key not in apart}

    return config_lib.differences(shared(old), shared(new))


_LESSONS = {
    "stream.lessons_per_task": 6,
    "stream.examples_per_lesson": 192,
    "stream.test": 256,
}
_LONG = {**_LESSONS, "scheduler.fast_budget": 480, "scheduler.slow_steps": 12}
_MATCHED = {**_LESSONS, "scheduler.fast_budget": 408, "scheduler.slow_steps": 10}


def _grid(
    name: str,
    *schedulers: str,
    more: tuple[str, ...] = (),
    full: Mapping[str, int] = _LONG,
) -> Grid:
    return Grid(_CONFIGS / f"{name}.py", schedulers, more, full)


_OTHERS = ("durable", "conflict")

GRIDS: Mapping[str, Grid] = {
    "two_tasks": _grid("two_tasks", "interleave", "slow_only", "fast_only"),
    "zero_start": _grid("zero_start", "interleave", "slow_only"),
    "mixed": _grid("mixed", "gain_cost", "random", "oracle", more=_OTHERS),
    "mixed_matched": _grid("mixed_matched", "interleave", full=_MATCHED),
    "recurring": _grid("recurring", "gain_cost", "random", "oracle", more=_OTHERS),
    "recurring_matched": _grid("recurring_matched", "interleave", full=_MATCHED),
    "conventions": _grid("conventions", "gain_cost"),
    "skills": _grid("skills", "gain_cost"),
}
