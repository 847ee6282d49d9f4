"""Several run directories at once: found by a pattern, read, and laid out as one tidy table."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import pathlib
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from fastslow import errors, files, run_directory, types
from fastslow.metrics import efficiency
from fastslow.report import overview, records

MISSING = "–"  # the value of a configuration key that a run does not have
SEEDS = ("seed", "order_seed")  # runs that differ in nothing else repeat each other


class RunsError(errors.UserError, ValueError):
    """Run directories that cannot be found, read or compared; the message says which and why."""


class Run(NamedTuple):
    """A finished or unfinished run as its directory tells it."""

    directory: pathlib.Path
    about: Mapping[str, types.Json]  # config.json
    rows: list[records.Row]
    done: bool  # the file DONE is there

    @property
    def config(self) -> Mapping[str, types.Json]:
        """Return the resolved configuration."""
        resolved: Mapping[str, types.Json] = self.about["config"]
        return resolved

    @property
    def seeds(self) -> tuple[int, int]:
        """Return (seed, order seed): what pairs runs of different methods."""
        return self.config["seed"], self.config["order_seed"]


class Column(NamedTuple):
    """What a column of the tidy table holds."""

    unit: str
    better: str  # "higher", "lower", or "" where neither is better
    meaning: str


def _drift_column(direction: str, condition: str) -> Column:
    trained_base = direction == "trained_base"
    name = "KL(trained || base)" if trained_base else "KL(base || trained)"
    return Column("nats/token", "lower", f"{name} on the task {condition.replace('_', ' ')}")


_DRIFTS = [(d, c) for c in overview.CONDITIONS for d in overview.DIRECTIONS]
COLUMNS: Mapping[str, Column] = {
    "run": Column("", "", "run directory"),
    "scheduler": Column("", "", "name of the scheduler"),
    "fast": Column("", "", "name of the fast channel"),
    "slow": Column("", "", "name of the slow channel"),
    "stream": Column("", "", "name of the stream"),
    "model": Column("", "", "name of the model"),
    "seed": Column("", "", "seed of everything but the task order"),
    "order_seed": Column("", "", "seed of the task order"),
    "config_hash": Column("", "", "the same for runs that differ in their seeds only"),
    "done": Column("", "", "whether the run is complete (file DONE)"),
    "event": Column("", "", "position of the evaluation in the stream"),
    "lessons": Column("lessons", "", "lessons taught before, of all tasks"),
    "task": Column("", "", "task evaluated"),
    "task_lessons": Column("lessons", "", "lessons taught before, of this task"),
    "score": Column("0 to 1", "higher", "mean test score; NaN = not a number"),
    "count": Column("answers", "", "test answers behind the score"),
    "slow_steps": Column("steps", "lower", "updates tried so far, but in dropped trials"),
    "tokens": Column("tokens", "lower", "read, written and trained on so far, in lessons"),
    "flops": Column("FLOP", "lower", "estimated, so far, in lessons"),
    "seconds": Column("s", "lower", "wall time so far, in lessons"),
    **{f"drift_{d}_{c}": _drift_column(d, c) for d, c in _DRIFTS},
}


def load_runs(pattern: str) -> list[dict[str, Any]]:
    """Return every measurement of the runs matching a pattern: one flat row per run, event, task.

    `pandas.DataFrame(load_runs("runs/*"))` is the table. What lessons used is added up over both
    channels, without evaluations; a value that was not measured is NaN. The columns:

    | column | unit | better | meaning |
    |---|---|---|---|
    | run | | | run directory |
    | scheduler | | | name of the scheduler |
    | fast | | | name of the fast channel |
    | slow | | | name of the slow channel |
    | stream | | | name of the stream |
    | model | | | name of the model |
    | seed | | | seed of everything but the task order |
    | order_seed | | | seed of the task order |
    | config_hash | | | the same for runs that differ in their seeds only |
    | done | | | whether the run is complete (file DONE) |
    | event | | | position of the evaluation in the stream |
    | lessons | lessons | | lessons taught before, of all tasks |
    | task | | | task evaluated |
    | task_lessons | lessons | | lessons taught before, of this task |
    | score | 0 to 1 | higher | mean test score; NaN = not a number |
    | count | answers | | test answers behind the score |
    | slow_steps | steps | lower | updates tried so far, but in dropped trials |
    | tokens | tokens | lower | read, written and trained on so far, in lessons |
    | flops | FLOP | lower | estimated, so far, in lessons |
    | seconds | s | lower | wall time so far, in lessons |
    | drift_trained_base_with_prompt | nats/token | lower | KL(trained || base) on the task with prompt |
    | drift_base_trained_with_prompt | nats/token | lower | KL(base || trained) on the task with prompt |
    | drift_trained_base_without_prompt | nats/token | lower | KL(trained || base) on the task without prompt |
    | drift_base_trained_without_prompt | nats/token | lower | KL(base || trained) on the task without prompt |

    Warns of directories that match and hold no run, and of runs without a measurement yet. Raises
    RunsError and RecordsError for what `find` and `read` do.
    """  # noqa: E501 - a table cannot be broken
    directories, others = find([pattern])
    found = [read(directory) for directory in directories]
    empty = [run.directory for run in found if not records.of_kind(run.rows, "evaluation")]
    for problem, paths in (("holds no run", others), ("has no evaluation yet", empty)):
        for path in paths:
            warnings.warn(f"left out: {path} {problem}", stacklevel=2)
    return [row for run in found for row in measurements(run)]


def find(patterns: Iterable[str]) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Return the run directories that match, and the matching directories that hold no run.

    Sorted, each once; files that match are passed over. Raises RunsError if there is no run.
    """
    asked = list(patterns)
    matches = {
        os.path.normpath(path)
        for pattern in asked
        for path in glob.glob(os.path.expanduser(pattern), recursive=True)
    }
    folders = [pathlib.Path(path) for path in sorted(matches) if os.path.isdir(path)]
    found = [path for path in folders if is_run(path)]
    others = [path for path in folders if path not in found]
    if found:
        return found, others
    wanted = ", ".join(map(repr, asked))
    if not folders:
        raise RunsError(f"no directory matches {wanted}")
    for path in others:
        if any(is_run(inner) for inner in path.iterdir()):
            raise RunsError(f"{path} holds runs and is none; did you mean '{path}/*'?")
    listed = ", ".join(map(str, others[:3])) + (", ..." if len(others) > 3 else "")
    raise RunsError(
        f"no run directory matches {wanted}: {listed} without config.json or records.jsonl"
    )


def is_run(directory: pathlib.Path) -> bool:
    """Return whether a run was begun in the directory."""
    return (directory / "config.json").exists() or records.path_of(directory).exists()


def read(directory: files.PathLike) -> Run:
    """Read a run; a last row torn by a crash is left out, as when the run is resumed.

    Raises RunsError for a configuration that cannot be read or is of another schema version,
    RecordsError for corrupt records.
    """
    path = pathlib.Path(directory)
    try:
        about = run_directory.read_config(path)
    except run_directory.RunDirectoryError as error:
        raise RunsError(str(error)) from error
    rows = records.read(path)
    _check_schema(path / "config.json", about.get("schema"), run_directory.SCHEMA)
    for row in rows:
        _check_schema(records.path_of(path), row["schema"], records.SCHEMA)
    for key in SEEDS:
        if not isinstance(about["config"].get(key), int):
            raise RunsError(f"{path / 'config.json'}: 'config.{key}' is not a number")
    return Run(path, about, rows, run_directory.is_done(path))


def _check_schema(path: pathlib.Path, found: types.Json, known: int) -> None:
    if found != known:
        raise RunsError(f"{path} is of schema version {found}; this program reads {known}")


def taught(run: Run) -> list[str]:
    """Return the task of every lesson."""
    return [row["task"] for row in records.of_kind(run.rows, "lesson")]


def measurements(run: Run) -> list[dict[str, Any]]:
    """Return the rows of one run, see `load_runs`; [] before the first evaluation."""
    names = ("scheduler", "fast", "slow", "stream", "model")
    identity = {
        "run": str(run.directory),
        **{key: value_of(run.config, key) for key in names},
        **dict(zip(SEEDS, run.seeds, strict=True)),
        "config_hash": config_hash(run.config),
        "done": run.done,
    }
    spent = {name: efficiency.spent(run.rows, of) for name, of in efficiency.EFFORTS.items()}
    taught: list[str] = []
    found, number = [], 0
    for row in run.rows:
        if row["kind"] == "lesson":
            taught.append(row["task"])
        elif row["kind"] == "evaluation":
            efforts = {name: float(values[number]) for name, values in spent.items()}
            number += 1
            found += [
                {
                    **identity,
                    "event": row["event"],
                    "lessons": len(taught),
                    "task": task,
                    "task_lessons": taught.count(task),
                    "score": _number(score),
                    "count": row["counts"].get(task, 0),
                    **efforts,
                    **_drift(row["drift"].get(task, {})),
                }
                for task, score in row["scores"].items()
            ]
    return found


def config_hash(config: Mapping[str, types.Json]) -> str:
    """Return eight hexadecimal digits of a hash of the configuration without its seeds."""
    content = {key: value for key, value in config.items() if key not in SEEDS}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def value_of(config: Mapping[str, types.Json], key: str) -> types.Json:
    """Return the value at a dotted key: a plug-in's section gives its name; MISSING if not there.

    Lists, and mappings that are no plug-in, come as their JSON text, so that every value is plain.
    """
    value: types.Json = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return MISSING
        value = value[part]
    if isinstance(value, Mapping) and "name" in value:
        return value["name"]
    return json.dumps(value) if isinstance(value, Mapping | list) else value


def keys_of(config: Mapping[str, types.Json], path: str = "") -> list[str]:
    """Return every dotted key of a configuration, those of sections before what they hold."""
    found = []
    for key, value in config.items():
        found.append(f"{path}{key}")
        if isinstance(value, Mapping):
            found += keys_of(value, f"{path}{key}.")
    return found


def _drift(report: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    return {f"drift_{d}_{c}": _number(report.get(c, {}).get(d)) for d, c in _DRIFTS}


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
