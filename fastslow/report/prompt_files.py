"""Prompts that a run wrote down: RUN/prompts/<event>/<task>/<number>.md beside their scores."""

from __future__ import annotations

import json
import pathlib
from typing import NamedTuple

from fastslow import files


class PromptFile(NamedTuple):
    """A prompt of a population as it was at an evaluation point; number 0 is the best."""

    task: str
    event: int
    number: int
    text: str
    score: float | None  # mean reward when it was measured last, if that was written down


def read(directory: files.PathLike) -> tuple[PromptFile, ...]:
    """Return every prompt of a run directory, by task, event and number."""
    folder = pathlib.Path(directory) / "prompts"
    prompts = []
    for path in folder.glob("*/**/*.md"):
        event, *task, _ = path.relative_to(folder).parts
        unfinished = any(part.startswith(".") for part in task)  # left by a kill
        if event.isdecimal() and path.stem.isdecimal() and not unfinished:
            text = path.read_text("utf-8", "replace")
            score = _score(path)
            prompts.append(PromptFile("/".join(task), int(event), int(path.stem), text, score))
    return tuple(sorted(prompts, key=lambda p: (p.task, p.event, p.number)))


def _score(path: pathlib.Path) -> float | None:
    scores_path = path.with_name("scores.json")
    if not scores_path.exists():
        return None
    listed = json.loads(scores_path.read_bytes())["prompts"]
    return next((entry["mean"] for entry in listed if entry["file"] == path.name), None)
