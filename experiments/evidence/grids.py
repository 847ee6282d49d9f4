"""The runs behind the claims: grids of cells, shared by all claims that look at them."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

_CONFIGS = pathlib.Path("experiments/evidence/configs")


class Grid(NamedTuple):
    """One configuration under several schedulers.

    `small` and `full` are values of `config.*` keys: sized for two CPU cores and an evening, and
    sized for an answer.
    """

    config: pathlib.Path
    schedulers: tuple[str, ...]
    small: Mapping[str, str]
    full: Mapping[str, str]

    def flags(self, seeds: str, *, full: bool) -> list[str]:
        """Return the flags that a sweep over this grid takes."""
        sizes = self.full if full else self.small
        axes = {"seed": seeds, "scheduler": ",".join(self.schedulers)}
        return [
            f"--config={self.config}",
            *(f"--config.{key}={value}" for key, value in sizes.items()),
            "--grid=" + ";".join(f"{key}={values}" for key, values in axes.items()),
        ]


def _grid(
    name: str,
    schedulers: tuple[str, ...],
    small: Mapping[str, str] | None = None,
    full: Mapping[str, str] | None = None,
) -> Grid:
    return Grid(_CONFIGS / f"{name}.py", schedulers, small or {}, full or {})


_LONG = {
    "stream.lessons_per_task": "6",
    "stream.examples_per_lesson": "192",
    "stream.test": "256",
    "scheduler.fast_budget": "480",
}
_ADAPTIVE = ("gain_cost", "durable", "conflict", "random", "oracle")

GRIDS: Mapping[str, Grid] = {
    "two_tasks": _grid("two_tasks", ("interleave", "slow_only", "fast_only"), full=_LONG),
    "zero_start": _grid("zero_start", ("interleave", "slow_only"), full=_LONG),
    "mixed": _grid("mixed", _ADAPTIVE, full=_LONG),
    "mixed_halved": _grid("mixed_halved", ("interleave",), full=_LONG),
    "recurring": _grid("recurring", _ADAPTIVE, full=_LONG),
    "recurring_halved": _grid("recurring_halved", ("interleave",), full=_LONG),
    "conventions": _grid("conventions", ("gain_cost",), full=_LONG),
    "skills": _grid("skills", ("gain_cost",), full=_LONG),
}
