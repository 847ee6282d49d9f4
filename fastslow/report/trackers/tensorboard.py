"""TensorBoard event files in RUN/tensorboard, through tensorboardX."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping

from fastslow import types
from fastslow.report.trackers import contracts

_FLUSH_SECONDS = 10


class TensorBoard:
    """TensorBoard: event files in RUN/tensorboard; `tensorboard --logdir=runs` shows them."""

    def __init__(self, directory: pathlib.Path, settings: Mapping[str, types.Json]):
        import tensorboardX

        folder = str(directory / "tensorboard")
        self._writer = tensorboardX.SummaryWriter(folder, flush_secs=_FLUSH_SECONDS)
        self._writer.add_text("configuration", f"```\n{json.dumps(settings, indent=1)}\n```")

    def log(self, axis: contracts.Axis, step: int, values: Mapping[str, float]) -> None:
        """Add scalars; the section of a name tells its axis."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, finished: bool) -> None:
        """Flush and close the file."""
        self._writer.close()
