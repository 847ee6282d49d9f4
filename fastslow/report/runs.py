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
from fastslow.report import overview, records, wording

SEEDS = ("seed", "order_seed")  # runs that differ in nothing else repeat each other


class RunsError(errors.UserError, ValueError):
    """Run directories that cannot be found or compared; the message says which and why."""


class Run(NamedTuple):
    """A finished or unfinished run as its directory tells it."""

    directory: pathlib.Path
    about: Mapping[str, types.Json]  # config.json; {} if it is lost
    rows: list[records.Row]
    done: bool  # the file DONE is there, which is written last, after the report

    @property
    def name(self) -> str:
        """Return the name of the directory."""
        return self.directory.resolve().name

    @property
    def config(self) -> Mapping[str, types.Json]:
        """Return the resolved configuration."""
        resolved: Mapping[str, types.Json] = self.about.get("config", {})
        return resolved

    @property
    def seeds(self) -> tuple[int, int]:
        """Return (seed, order seed): what pairs runs of different methods."""
        return self.config["seed"], self.config["order_seed"]


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
    what `find` and `read` raise.
    """  # noqa: E501 - a table cannot be broken
    directories, others = find([pattern])
    loaded = [read(directory) for directory in directories]
    empty = [run.directory for run in loaded if not records.of_kind(run.rows, "evaluation")]
    for problem, paths in (("holds no run", others), ("has no evaluation yet", empty)):
        for path in paths:
            warnings.warn(f"left out: {path} {problem}", stacklevel=2)
    return [row for run in loaded for row in measurements(run)]


def find(patterns: Iterable[str]) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Return the run directories that match, and the matching directories that hold no run.

    Both sorted and without duplicates; plain files are ignored. Raises RunsError without any run.
    """
    patterns = list(patterns)
    matches = {
        os.path.normpath(path)
        for pattern in patterns
        for path in glob.glob(os.path.expanduser(pattern), recursive=True)
    }
    folders = [pathlib.Path(path) for path in sorted(matches) if os.path.isdir(path)]
    holding = [path for path in folders if is_run(path)]
    others = [path for path in folders if path not in holding]
    if holding:
        return holding, others
    named = ", ".join(map(repr, patterns))
    if not folders:
        raise RunsError(f"no directory matches {named}")
    for path in others:
        if any(is_run(inner) for inner in path.iterdir()):
            raise RunsError(f"{path} holds runs and is none; did you mean '{path}/*'?")
    listed = ", ".join(map(str, others[:3])) + (", ..." if len(others) > 3 else "")
    raise RunsError(
        f"no run directory matches {named}: {listed} without config.json or records.jsonl"
    )


def is_run(directory: pathlib.Path) -> bool:
    """Return whether the directory holds something to show of a run."""
    return run_directory.is_begun(directory) or records.path_of(directory).exists()


def read(directory: files.PathLike, *, comparable: bool = True) -> Run:
    """Read a run; a last row torn by a crash is left out, as when the run is resumed.

    `comparable`: refuse what cannot be set beside other runs: without config.json, of another
    schema version, or without seeds. One run can be shown all the same. Raises RunDirectoryError if
    there is no run or its configuration cannot be read, RunsError if it is not comparable,
    RecordsError for corrupt records.
    """
    path = pathlib.Path(directory)
    if not is_run(path):
        raise run_directory.RunDirectoryError(
            f"{path} holds no run: neither config.json nor records.jsonl"
        )
    known = comparable or run_directory.is_begun(path)
    about = run_directory.read_config(path) if known else {}
    run = Run(path, about, records.read(path), run_directory.is_done(path))
    if comparable:
        _check(run)
    return run


def _check(run: Run) -> None:
    config_path = run.directory / "config.json"
    _check_schema(config_path, run.about.get("schema"), run_directory.SCHEMA)
    for row in run.rows:
        _check_schema(records.path_of(run.directory), row["schema"], records.SCHEMA)
    for key in SEEDS:
        if not isinstance(run.config.get(key), int):
            raise RunsError(f"{config_path}: 'config.{key}' is not a number")


def _check_schema(path: pathlib.Path, version: types.Json, known: int) -> None:
    if version != known:
        raise RunsError(f"{path} is of schema version {version}; this program reads {known}")


def said(found: Iterable[Run], key: str) -> list[types.Json]:
    """Return the different values that runs have under `key` of config.json, where they have it."""
    values = [run.about[key] for run in found if key in run.about]
    distinct = {json.dumps(value, sort_keys=True): value for value in values}
    return [distinct[text] for text in sorted(distinct)]


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
    lessons = taught(run)
    counts = overview.lessons_before_evaluations(run.rows)
    evaluations = records.of_kind(run.rows, "evaluation")
    return [
        {
            **identity,
            "event": row["event"],
            "lessons": count,
            "task": task,
            "task_lessons": lessons[:count].count(task),
            "score": overview.number(score),
            "count": row["counts"].get(task, 0),
            **{name: float(efforts[place]) for name, efforts in spent.items()},
            **_drift(row["drift"].get(task, {})),
        }
        for place, (row, count) in enumerate(zip(evaluations, counts, strict=True))
        for task, score in row["scores"].items()
    ]


def config_hash(config: Mapping[str, types.Json]) -> str:
    """Return eight hexadecimal digits of a hash of the configuration without its seeds."""
    content = {key: value for key, value in config.items() if key not in SEEDS}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def value_of(config: Mapping[str, types.Json], key: str) -> types.Json:
    """Return the plain value at a dotted key, a plug-in's name for its section.

    wording.MISSING if the key is not there.
    """
    value: types.Json = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return wording.MISSING
        value = value[part]
    if isinstance(value, Mapping) and "name" in value:
        return value["name"]
    return plain(value)


def plain(value: types.Json) -> types.Json:
    """Return a list or a mapping as its JSON text, any other value as it is."""
    return json.dumps(value) if isinstance(value, Mapping | list) else value


def _drift(report: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    return {
        f"drift_{direction}_{condition}": overview.number(report.get(condition, {}).get(direction))
        for condition in overview.CONDITIONS
        for direction in overview.DIRECTIONS
    }
