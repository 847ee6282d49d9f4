"""Everything a report is made of, read from the files of a run directory."""

from __future__ import annotations

import json
import pathlib
from typing import NamedTuple

from fastslow import files, run_directory, types
from fastslow.report import records


class PromptFile(NamedTuple):
    """A prompt of a population as it was at an evaluation point; number 0 is the best."""

    task: str
    event: int
    number: int
    text: str
    score: float | None  # mean reward when it was measured last, if that was written down


class RunFiles(NamedTuple):
    """A run as its directory tells it; `config` is {} when there is none.

    `done`: all events have happened, and the quadrants after them. (The file DONE is written last,
    after the report.)
    """

    directory: pathlib.Path
    name: str
    config: types.Json
    rows: list[records.Row]
    done: bool
    prompts: tuple[PromptFile, ...]

    @property
    def events(self) -> int:
        """How many events are recorded."""
        return sum(row["event"] is not None for row in self.rows)


def load(directory: files.PathLike) -> RunFiles:
    """Read a finished or unfinished run.

    Raises RunDirectoryError if there is no run in the directory or its configuration cannot be
    read, RecordsError if its records are corrupt.
    """
    path = pathlib.Path(directory)
    config_path = path / "config.json"
    if not config_path.exists() and not records.path_of(path).exists():
        raise run_directory.RunDirectoryError(
            f"{path} holds no run: neither config.json nor records.jsonl"
        )
    rows = records.read(path)
    return RunFiles(
        directory=path,
        name=path.resolve().name,
        config=run_directory.read_config(path) if config_path.exists() else {},
        rows=rows,
        done=bool(records.of_kind(rows, "quadrants")),
        prompts=prompts(path),
    )


def prompts(directory: pathlib.Path) -> tuple[PromptFile, ...]:
    """Return every prompt that the run wrote down, by task, event and number."""
    folder = directory / "prompts"
    found = []
    for path in folder.glob("*/**/*.md"):
        event, *task, _ = path.relative_to(folder).parts
        unfinished = any(part.startswith(".") for part in task)  # left by a kill
        if event.isdecimal() and path.stem.isdecimal() and not unfinished:
            text = path.read_text("utf-8", "replace")
            score = _prompt_score(path)
            found.append(PromptFile("/".join(task), int(event), int(path.stem), text, score))
    return tuple(sorted(found, key=lambda p: (p.task, p.event, p.number)))


def _prompt_score(path: pathlib.Path) -> float | None:
    scores_path = path.with_name("scores.json")
    if not scores_path.exists():
        return None
    listed = json.loads(scores_path.read_bytes())["prompts"]
    return next((entry["mean"] for entry in listed if entry["file"] == path.name), None)
