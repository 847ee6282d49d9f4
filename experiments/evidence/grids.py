"""The runs behind the claims: grids of cells, shared by all claims that look at them."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

_CONFIGS = pathlib.Path(__file__).parent / "configs"


class Probe(NamedTuple):
    """A diagnostic of every finished run of one scheduler, with flags of experiments.probe."""

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
    full: Mapping[str, str]
    probes: tuple[Probe, ...]

    def flags(self, seeds: str, *, full: bool) -> list[str]:
        """Return the flags that a sweep over this grid takes."""
        sizes = self.full if full else {}
        axes = {"seed": seeds, "scheduler": ",".join(self.schedulers + self.more * full)}
        return [
            f"--config={self.config}",
            *(f"--config.{key}={value}" for key, value in sizes.items()),
            "--grid=" + ";".join(f"{key}={values}" for key, values in axes.items()),
        ]


_LESSONS = {
    "stream.lessons_per_task": "6",
    "stream.examples_per_lesson": "192",
    "stream.test": "256",
}
_LONG = {**_LESSONS, "scheduler.fast_budget": "480", "scheduler.slow_steps": "12"}
_HALVED = {**_LESSONS, "scheduler.fast_budget": "240", "scheduler.slow_steps": "6"}


def _grid(
    name: str,
    *schedulers: str,
    more: tuple[str, ...] = (),
    full: Mapping[str, str] = _LONG,
    probes: tuple[Probe, ...] = (),
) -> Grid:
    return Grid(_CONFIGS / f"{name}.py", schedulers, more, full, probes)


_OTHERS = ("durable", "conflict")
_PLASTICITY = Probe("interleave", "plasticity", ("--probe_task=food",))

GRIDS: Mapping[str, Grid] = {
    "two_tasks": _grid("two_tasks", "interleave", "slow_only", "fast_only", probes=(_PLASTICITY,)),
    "zero_start": _grid("zero_start", "interleave", "slow_only"),
    "mixed": _grid("mixed", "gain_cost", "random", "oracle", more=_OTHERS),
    "mixed_halved": _grid("mixed_halved", "interleave", full=_HALVED),
    "recurring": _grid("recurring", "gain_cost", "random", "oracle", more=_OTHERS),
    "recurring_halved": _grid("recurring_halved", "interleave", full=_HALVED),
    "conventions": _grid("conventions", "gain_cost"),
    "skills": _grid("skills", "gain_cost"),
}
