"""report.html: the whole run on one page that needs nothing else, no network and no other file."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import jinja2

from fastslow import types
from fastslow.report import (
    figures,
    headlines,
    overview,
    records,
    run_files,
    table,
    wording,
)

_PIXELS_PER_INCH = 96  # the definition in CSS


class PromptVersion(NamedTuple):
    """A best prompt that differs from the one before it, and when it was first seen."""

    lessons: int  # lessons taught before
    score: str
    text: str
    others: tuple[tuple[str, str], ...]  # (score, text) of the rest of the population


def render(run: run_files.RunFiles, pictures: Sequence[tuple[figures.Picture, bytes]]) -> str:
    """Return the page; `pictures` are figures with their PNG files."""
    matrix, problem = overview.accuracy(run.rows)
    heads = headlines.headlines(matrix, run.rows) if matrix else ()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fastslow.report", ""), autoescape=True, trim_blocks=True
    )
    page: str = environment.get_template("report.html").render(
        run=run,
        problem=problem,
        state="finished" if run.done else "unfinished",
        events=sum(row["event"] is not None for row in run.rows),
        setup=setup(run.config),
        headlines=heads,
        tables=[*table.summary(run.rows), table.lessons(run.rows)],
        pictures=[_embedded(picture, png) for picture, png in pictures],
        prompts=prompt_versions(run.prompts, run.rows),
        mistakes=run.mistakes,
        settings=list(flatten(run.config)),
    )
    return page


def _embedded(picture: figures.Picture, png: bytes) -> tuple[figures.Picture, str, int]:
    """Return a picture, its data, and the width in pixels at which its text has its true size."""
    width = round(picture.figure.get_figwidth() * _PIXELS_PER_INCH)
    return picture, base64.b64encode(png).decode("ascii"), width


def setup(config: types.Json) -> str:
    """Return one line of what was run: model, stream, scheduler, channels, seed."""
    resolved = config.get("config", {})
    named = [
        f"{part} {resolved[part]['name']}"
        for part in ("model", "stream", "scheduler", "fast", "slow")
        if isinstance(resolved.get(part), Mapping)
    ]
    return " · ".join([*named, *(f"{k} {resolved[k]}" for k in ("seed",) if k in resolved)])


def prompt_versions(
    prompts: Iterable[run_files.PromptFile], rows: Iterable[records.Row]
) -> dict[str, list[PromptVersion]]:
    """Return per task the best prompts over time, each where it first differs from the last."""
    evaluations = [row["event"] for row in records.of_kind(rows, "evaluation")]
    lessons = dict(zip(evaluations, overview.lessons_before_evaluations(rows), strict=True))
    versions: dict[str, list[PromptVersion]] = {}
    for (task, event), group in itertools.groupby(prompts, key=lambda p: (p.task, p.event)):
        best, *others = group
        told = versions.setdefault(task, [])
        if event in lessons and (not told or told[-1].text != best.text):
            rest = tuple((wording.score(p.score), p.text) for p in others)
            version = PromptVersion(lessons[event], wording.score(best.score), best.text, rest)
            told.append(version)
    return versions


def flatten(value: types.Json, path: str = "") -> Iterable[tuple[str, str]]:
    """Yield ("a.b", "value") for every leaf of a JSON value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flatten(item, f"{path}.{key}" if path else str(key))
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield path, text
