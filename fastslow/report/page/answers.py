"""Raw predictions for the page: every answer once, in columns that refer to a table of texts."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fastslow import types
from fastslow.report import overview, predictions, records

_ROOM = 1_500_000  # characters of JSON; a page must open at once
_ROW = 36  # characters that the numbers of a row take, about
_LONGEST = 1500  # characters shown of a text


class Answer(NamedTuple):
    """An answer at an evaluation point; `before`: the item's score at the one before."""

    task: str
    event: int
    id: str
    sample: int
    input: str | None
    target: str
    answer: str
    score: float
    feedback: str
    before: float | None


def read(directory: pathlib.Path, rows: Iterable[records.Row]) -> tuple[Answer, ...]:
    """Return all answers that the run wrote down, in time, tasks as in the records."""
    before: dict[tuple[str, str, int], float] = {}
    given = []
    for row in records.of_kind(rows, "evaluation"):
        for task in row["scores"]:
            for answer in _of_file(directory, row["event"], task):
                item = (task, answer.id, answer.sample)
                given.append(answer._replace(before=before.get(item)))
                before[item] = answer.score
    return tuple(given)


def last(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """Return the answers of every task at its last evaluation."""
    newest: dict[str, list[Answer]] = {}
    for answer in answers:
        of_task = newest.setdefault(answer.task, [])
        if of_task and of_task[0].event != answer.event:
            of_task.clear()
        of_task.append(answer)
    return newest


def columns(
    answers: Sequence[Answer], rows: Iterable[records.Row], room: int = _ROOM
) -> types.Json:
    """Return what the page's script reads: columns of numbers, and the texts they stand for.

    The newest evaluations come first. What exceeds `room` characters is left out and counted in
    `left_out`. A text is its place in `texts`, -1 if there is none; a point its place in `points`,
    which hold (event, lessons taught before).
    """
    rows = list(rows)
    events = [row["event"] for row in records.of_kind(rows, "evaluation")]
    points = list(zip(events, overview.lessons_before_evaluations(rows), strict=True))
    point_of = {event: place for place, event in enumerate(events)}
    places = {text: n for n, text in enumerate(dict.fromkeys(a.task for a in answers))}
    tasks = list(places)
    texts: dict[str, int] = {}
    table: list[list[float | int | None]] = []
    newest_first = sorted(answers, key=lambda answer: -answer.event)
    for answer in newest_first:
        values = [answer.id, answer.input, answer.target, answer.answer, answer.feedback]
        clipped = [None if text is None else _clipped(text) for text in values]
        room -= _ROW + sum(len(text) + 3 for text in clipped if text and text not in texts)
        if room < 0:
            break
        numbers = [-1 if t is None else texts.setdefault(t, len(texts)) for t in clipped]
        place = (places[answer.task], point_of[answer.event], answer.sample)
        table.append([*place, *numbers, answer.score, answer.before])
    names = (
        *("task", "point", "sample"),
        *("id", "input", "target", "answer", "feedback"),
        *("score", "before"),
    )
    listed = zip(*table, strict=True) if table else ((),) * len(names)
    return {
        "tasks": tasks,
        "points": points,
        "texts": list(texts),
        "columns": {name: list(column) for name, column in zip(names, listed, strict=True)},
        "left_out": len(answers) - len(table),
    }


def _of_file(directory: pathlib.Path, event: int, task: str) -> Iterator[Answer]:
    if not predictions.path_of(directory, event, task).exists():
        return
    for line in predictions.read(directory, event, task):
        yield Answer(
            task,
            event,
            str(line["id"]),
            line["sample"],
            line.get("input"),
            str(line["target"]),
            str(line["prediction"]),
            line["score"],
            line["feedback"],
            None,
        )


def _clipped(text: str) -> str:
    more = len(text) - _LONGEST
    return text if more <= 0 else f"{text[:_LONGEST]}… [{more} characters more]"
