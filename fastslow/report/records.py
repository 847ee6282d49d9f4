"""records.jsonl: one row per event of a run, append-only, durable before the run goes on.

Every row has `schema`, `kind` ("tasks" | "evaluation" | "lesson" | "quadrants"), `event` (the
position of the event in the stream; null for what comes before or after all events) and `timing`.
The rest depends on the kind, see the functions that build rows. The file is strict JSON: a number
that is not finite is null. Two runs that did the same differ at most in measured times, see
`comparable`.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import pathlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from fastslow import errors, files, types
from fastslow.evaluation import constant

SCHEMA = 1
Row: TypeAlias = dict[str, types.Json]


class RecordsError(errors.UserError):
    """records.jsonl cannot be read or continued; the message names the file and the line."""


def path_of(directory: files.PathLike) -> pathlib.Path:
    """Return the records file of a run directory."""
    return pathlib.Path(directory) / "records.jsonl"


def tasks_row(kinds: Mapping[str, str], constants: Mapping[str, constant.Constant]) -> Row:
    """Return the row that describes the tasks, written before all events.

    By task: its kind ("" if the stream does not say) and the constant answer that scores best.
    """
    tasks = {
        name: {"kind": kind, "constant": constants[name]._asdict()} for name, kind in kinds.items()
    }
    return _row("tasks", None, tasks=tasks)


def lesson_row(
    lesson: types.Lesson,
    report: types.LessonReport,
    slow_steps: int,
    scheduler_state: types.Json = None,
) -> Row:
    """Return the row of a lesson: what was decided and why, and what became of it in each channel.

    `slow_steps` counts all steps of the run so far, this lesson's included; `scheduler_state` is
    what the policy knows after the lesson.
    """
    return _row(
        "lesson",
        lesson.index,
        task=lesson.task_name,
        **report._asdict(),
        slow_steps=slow_steps,
        scheduler_state=scheduler_state,
    )


def evaluation_row(
    point: types.EvaluationPoint,
    scores: Mapping[str, float],
    counts: Mapping[str, int],
    drift: Mapping[str, Mapping[str, Any]],
    slow_steps: int,
    cost: types.Cost,
) -> Row:
    """Return the row of an evaluation point.

    `scores`: mean test score by task, in [0, 1]; `counts`: predictions behind each; `drift`: by
    task and condition ("with_prompt", "without_prompt"), `trained_base` and `base_trained` in nats
    per token; `cost` is the evaluation's own.
    """
    return _row(
        "evaluation",
        point.index,
        scores=scores,
        counts=counts,
        drift=drift,
        slow_steps=slow_steps,
        cost=cost,
    )


def quadrants_row(scores: Mapping[str, Mapping[str, float]], cost: types.Cost) -> Row:
    """Return the row of the final quadrants; `scores` is by corner ("base_seed", ...), then task.

    The row is by task, then corner.
    """
    tasks = dict.fromkeys(task for measured in scores.values() for task in measured)
    by_task = {
        task: {corner: measured.get(task) for corner, measured in scores.items()} for task in tasks
    }
    return _row("quadrants", None, quadrants=by_task, cost=cost)


def append(directory: files.PathLike, row: Row, seconds: float) -> None:
    """Add a row and its wall time, and return once it is on the disk.

    Raises RecordsError when the file ends in a torn row (`truncate_after` mends it) and WriteError
    when the disk is full; the file is then as it was before.
    """
    path = path_of(directory)
    timed = {**row, "timing": {"seconds": seconds}}
    line = files.encode_json(timed) + b"\n"
    # Unbuffered: what a full disk did not take must not be written on closing.
    with files.naming(path), open(path, "ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size and _last_byte(file) != b"\n":
            raise RecordsError(f"{path} ends in a torn row: resume the run to mend it")
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise
        if not size:
            files.sync_directory(path.parent)


def read(directory: files.PathLike) -> list[Row]:
    """Return all rows; [] if there is no file yet.

    A last line that was torn by a crash is left out. Raises RecordsError, naming file and line, for
    any other line that is not a row, and for a newer schema.
    """
    path = path_of(directory)
    if not path.exists():
        return []
    *lines, tail = path.read_bytes().split(b"\n")
    rows = [_parse(line, path, number) for number, line in enumerate(lines, 1)]
    return rows + _complete(tail, path, len(lines) + 1)


def torn(directory: files.PathLike) -> bool:
    """Return whether a crash tore the last line, which `read` leaves out and a resume mends."""
    path = path_of(directory)
    tail = path.read_bytes().rpartition(b"\n")[2] if path.exists() else b""
    return bool(tail) and not _complete(tail, path, 0)


def complete(directory: files.PathLike) -> int:
    """Return how many events have their row, counted from the first on without a gap."""
    known = {row["event"] for row in read(directory)}
    return next(event for event in itertools.count() if event not in known)


def truncate_after(directory: files.PathLike, position: int) -> None:
    """Keep the tasks' row and those of the first `position` events, atomically.

    Also mends a torn last line.
    """
    path = path_of(directory)
    if not path.exists():
        return
    kept = [
        row
        for row in read(directory)
        if row["kind"] == "tasks" or (row["event"] is not None and row["event"] < position)
    ]
    files.write_bytes_atomic(path, b"".join(files.encode_json(row) + b"\n" for row in kept))


def comparable(row: Mapping[str, types.Json]) -> Row:
    """Return a row without measured times: equal for two runs that did the same.

    Times stand under `timing` and under keys that end in "seconds" or "per_second", at any depth.
    """
    stripped: Row = _without_times(row)
    return stripped


def of_kind(rows: Iterable[Row], kind: str) -> list[Row]:
    """Return the rows of one kind, in order."""
    return [row for row in rows if row["kind"] == kind]


def known_quadrants(
    directory: files.PathLike, tasks: Collection[str]
) -> dict[str, dict[str, float]]:
    """Return the corners that evaluation points measured already: {corner: {task: score}}.

    Before the first lesson: "base_seed"; after the last: "trained_evolved".
    """
    rows = [row for row in read(directory) if row["kind"] != "tasks"]
    first = itertools.takewhile(lambda row: row["kind"] == "evaluation", rows)
    last = itertools.takewhile(lambda row: row["kind"] == "evaluation", reversed(rows))
    corners = {"base_seed": first, "trained_evolved": last}
    if not of_kind(rows, "lesson"):
        corners.pop("trained_evolved")
    return {corner: _latest_scores(found, tasks) for corner, found in corners.items()}


def plain(value: Any) -> types.Json:
    """Return strict JSON: tuples with names become objects, what is not finite becomes null."""
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy and JAX values
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _latest_scores(rows: Iterable[Row], tasks: Collection[str]) -> dict[str, float]:
    return {
        task: score
        for row in rows
        for task, score in row["scores"].items()
        if task in tasks and score is not None
    }


def _row(kind: str, event: int | None, **fields: Any) -> Row:
    return {"schema": SCHEMA, "event": event, "kind": kind, **plain(fields)}


def _without_times(value: types.Json) -> types.Json:
    if isinstance(value, Mapping):
        return {key: _without_times(item) for key, item in value.items() if not _is_time(key)}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return value


def _is_time(key: str) -> bool:
    return key == "timing" or key.endswith(("seconds", "per_second"))


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    last: bytes = file.read(1)
    return last


def _parse(line: bytes, path: pathlib.Path, number: int) -> Row:
    try:
        row: Row = json.loads(line)
        schema = row["schema"]
        complete = {"kind", "event", "timing"} <= row.keys()
    except (ValueError, KeyError, TypeError) as error:
        raise RecordsError(f"{path}, line {number}: not a row ({error!r})") from error
    if schema > SCHEMA:
        raise RecordsError(f"{path}, line {number}: schema {schema}; this program reads {SCHEMA}")
    if not complete:
        raise RecordsError(f"{path}, line {number}: not a row (kind, event or timing is missing)")
    return row


def _complete(tail: bytes, path: pathlib.Path, number: int) -> list[Row]:
    """Return the last line as a row if only its newline is missing, else nothing."""
    try:
        json.loads(tail)
    except ValueError:
        return []
    return [_parse(tail, path, number)]
