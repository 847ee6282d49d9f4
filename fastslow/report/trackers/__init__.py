"""Live trackers: a run's numbers, also in TensorBoard, Weights & Biases or MLflow; no network."""

from __future__ import annotations

import contextlib
import importlib
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from fastslow import config, errors, registry, types
from fastslow.report.trackers import contracts, mlflow_store, scalars, tensorboard, weights_biases

TRACKERS: registry.Registry[contracts.Sink] = registry.Registry(
    "tracker",
    {
        "tensorboard": tensorboard.TensorBoard,
        "wandb": weights_biases.WeightsBiases,
        "mlflow": mlflow_store.MLflow,
    },
)
_PACKAGES = {  # tracker -> module it imports, what to install for it
    "tensorboard": ("tensorboardX", "tensorboardX"),
    "wandb": ("wandb", "wandb"),
    "mlflow": ("mlflow", "mlflow-skinny"),
}


class TrackerError(config.ConfigError):
    """A tracker cannot be used; the message has the command that installs what it needs."""


def check(names: Sequence[str]) -> None:
    """Raise UnknownNameError or TrackerError if one of the trackers cannot be used here."""
    for name in names:
        TRACKERS.get(name)
        if name not in _PACKAGES:  # a factory of the user's
            continue
        module, package = _PACKAGES[name]
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise TrackerError(
                f"tracker {name!r} cannot import {module}: pip install {package} ({error})"
            ) from error


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def opened(
    names: Sequence[str],
    directory: pathlib.Path,
    settings: Mapping[str, types.Json],
    warn: Callable[[str], None] = _print,
) -> Iterator[list[scalars.Scalars]]:
    """Yield what tells each tracker, and close them however the block is left.

    Raises what `check` raises. A tracker that fails in any other way is told to `warn`, once, and
    left out from then on.
    """
    check(names)
    made = []
    for name in names:
        try:
            sink = TRACKERS.build(name, directory=directory, settings=settings)
        except errors.UserError as error:
            warn(f"warning: tracker {name!r} is left out: {error}")
        except Exception as error:
            warn(f"warning: tracker {name!r} is left out: {type(error).__name__}: {error}")
        else:
            made.append(scalars.Scalars(name, sink, directory, warn))
    finished = False
    try:
        yield made
        finished = True
    finally:
        for each in made:
            each.close(finished)
