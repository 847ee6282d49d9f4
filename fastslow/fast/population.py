"""Populations of prompts, their scores, and their stored forms."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import NamedTuple

from fastslow import files, types
from fastslow.fast import prompt as prompt_lib


class Member(NamedTuple):
    """A prompt and its reward on each example it was ranked on, by example id."""

    prompt: types.Prompt
    scores: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Mean reward over these examples."""
        return sum(self.scores.values()) / len(self.scores)


class Population(NamedTuple):
    """Up to K prompts, best first.

    The scores were measured in the lesson of that index under the weights called `version`. They
    are a record: after any change of the weights they are stale, and every round measures them
    again.
    """

    members: tuple[Member, ...]
    version: str
    lesson_index: int
    tasks: tuple[str, ...]  # taught so far, in order of first appearance

    @property
    def prompts(self) -> tuple[types.Prompt, ...]:
        """The prompts, best first."""
        return tuple(member.prompt for member in self.members)


class FastState(NamedTuple):
    """Everything the fast channel learned: populations by task name, or one under the key ""."""

    populations: Mapping[str, Population]


def to_json(state: FastState) -> types.Json:
    """Return a JSON value that `from_json` inverts exactly."""
    return {key: _population_json(value) for key, value in state.populations.items()}


def from_json(value: types.Json) -> FastState:
    """Invert `to_json`."""
    return FastState(
        {
            key: Population(
                tuple(Member(prompt_lib.from_json(m["prompt"]), m["scores"]) for m in p["members"]),
                p["version"],
                p["lesson"],
                tuple(p["tasks"]),
            )
            for key, p in value.items()
        }
    )


def write_population(directory: str | os.PathLike[str], population: Population) -> None:
    """Write 0.md, 1.md, ... (best first) and scores.json; the folder appears whole or not at all.

    A folder of that name is replaced. Raises files.WriteError.
    """
    target = pathlib.Path(directory)
    parent = files.make_directory(target.parent)
    temporary = parent / f".{target.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    for number, member in enumerate(population.members):
        prompt_lib.write(temporary / f"{number}.md", member.prompt)
    files.write_json_atomic(temporary / "scores.json", _scores_json(population))
    with files.naming(target):
        shutil.rmtree(target, ignore_errors=True)
        os.replace(temporary, target)
        files.sync_directory(parent)


def _population_json(population: Population) -> types.Json:
    return {
        "members": [
            {"prompt": prompt_lib.to_json(m.prompt), "scores": dict(m.scores)}
            for m in population.members
        ],
        "version": population.version,
        "lesson": population.lesson_index,
        "tasks": list(population.tasks),
    }


def _scores_json(population: Population) -> types.Json:
    return {
        "lesson": population.lesson_index,
        "weights": population.version,
        "tasks": list(population.tasks),
        "prompts": [
            {
                "file": f"{number}.md",
                "digest": prompt_lib.digest(member.prompt),
                "mean": member.mean,
                "scores": dict(member.scores),
            }
            for number, member in enumerate(population.members)
        ],
    }
