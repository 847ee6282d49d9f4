"""MLflow's file store in RUN/mlflow."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Mapping

from fastslow import types
from fastslow.report.trackers import contracts

_LONGEST = 500  # characters of a parameter that every version of MLflow takes


class MLflow:
    """MLflow: a file store in RUN/mlflow; `mlflow ui --backend-store-uri RUN/mlflow` shows it."""

    def __init__(self, directory: pathlib.Path, settings: Mapping[str, types.Json]):
        os.environ.setdefault(
            "MLFLOW_ALLOW_FILE_STORE", "true"
        )  # recent versions refuse it otherwise
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # no network
        import mlflow

        store = (directory / "mlflow").absolute().as_uri()
        self._client = mlflow.MlflowClient(tracking_uri=store)
        known = self._client.get_experiment_by_name("fastslow")
        experiment = known.experiment_id if known else self._client.create_experiment("fastslow")
        if earlier := self._client.search_runs([experiment]):
            self._run = earlier[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
            return
        self._run = self._client.create_run(experiment, run_name=directory.name).info.run_id
        for key, value in _flat(settings):
            self._client.log_param(self._run, key, str(value)[:_LONGEST])

    def log(self, axis: contracts.Axis, step: int, values: Mapping[str, float]) -> None:
        """Log metrics; the section of a name tells its axis."""
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=step)

    def close(self, finished: bool) -> None:
        """Mark the run as ended."""
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")


def _flat(settings: Mapping[str, types.Json], path: str = "") -> Iterator[tuple[str, types.Json]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
