"""Raw predictions: RUN/predictions/<event>/<task>.jsonl, to recompute any metric from."""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastslow import files, types
from fastslow.evaluation import evaluator


def path_of(directory: files.PathLike, event: int, task: str) -> pathlib.Path:
    """Return the file of one task at one evaluation point."""
    return pathlib.Path(directory) / "predictions" / str(event) / f"{_file_name(task)}.jsonl"


def write(
    directory: files.PathLike, event: int, graded: Mapping[str, Sequence[evaluator.Graded]]
) -> None:
    """Write the graded predictions of every task, each file atomically; raises WriteError.

    A line holds `id` (the item's position if it has no id), `sample`, `input` if it is text,
    `target`, `prediction`, `score` and `feedback`.
    """
    for task, rows in graded.items():
        lines = (files.encode_json(line) + b"\n" for line in _lines(rows))
        files.write_bytes_atomic(path_of(directory, event, task), b"".join(lines))


def read(directory: files.PathLike, event: int, task: str) -> list[dict[str, types.Json]]:
    """Return the lines of one task at one evaluation point."""
    lines = path_of(directory, event, task).read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line]


def _lines(rows: Iterable[evaluator.Graded]) -> Iterable[dict[str, types.Json]]:
    for number, (example, sample, prediction, score) in enumerate(rows):
        text = getattr(example, "input", None)
        yield {
            "id": getattr(example, "id", number),
            "sample": sample,
            **({"input": text} if isinstance(text, str) else {}),
            "target": _plain(getattr(example, "target", None)),
            "prediction": _plain(prediction),
            "score": float(score.value),
            "feedback": score.feedback,
        }


def _plain(value: Any) -> types.Json:
    return value.tolist() if hasattr(value, "tolist") else value


def _file_name(task: str) -> str:
    """Return a task's name if it is a safe file name, else a readable one made unique by a hash."""
    if re.fullmatch(r"\w[\w.+-]{0,99}", task, re.ASCII):
        return task
    digest = hashlib.sha256(task.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{re.sub(r'[^a-zA-Z0-9_.+-]+', '_', task)[:80]}-{digest}"
