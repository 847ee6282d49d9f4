"""Weights & Biases, offline: files in RUN/wandb that `wandb sync` can upload later."""

from __future__ import annotations

import os
import pathlib
import uuid
from collections.abc import Mapping
from typing import Any

from fastslow import files, types
from fastslow.report.trackers import contracts

_QUIET: Mapping[str, Any] = {  # nothing but what we log, and no network
    "console": "off",
    "silent": True,
    "disable_git": True,
    "save_code": False,
    "x_disable_stats": True,
    "x_disable_meta": True,
}


class WeightsBiases:
    """Weights & Biases, offline: RUN/wandb; `wandb sync RUN/wandb/offline-run-*` uploads it."""

    def __init__(self, directory: pathlib.Path, settings: Mapping[str, types.Json]):
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would report over the network
        os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")  # it advertises this
        import wandb

        self._run = wandb.init(
            project="fastslow",
            name=directory.name,
            id=_identity(directory / "wandb" / "run_id"),
            resume="allow",
            mode="offline",
            dir=str(directory),
            config=dict(settings),
            settings=wandb.Settings(**_QUIET),
        )
        self._axes: dict[str, contracts.Axis] = {}

    def log(self, axis: contracts.Axis, step: int, values: Mapping[str, float]) -> None:
        """Log one row; every name is drawn over its own axis."""
        for name in values:
            if self._axes.setdefault(name, axis) == axis:
                self._run.define_metric(name, step_metric=axis)
        self._run.log({**values, axis: step})

    def close(self, finished: bool) -> None:
        """Write the files out and end the helper process."""
        self._run.finish(exit_code=0 if finished else 1)


def _identity(path: pathlib.Path) -> str:
    """Return the id that the run was given first, so that a resumed one is the same run."""
    if not path.exists():
        files.write_text_atomic(path, uuid.uuid4().hex[:12])
    return path.read_text("utf-8")
