"""The answers a reader wants first: what was learned, what was forgotten, at what cost, and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastslow.metrics import matrix as matrices
from fastslow.report import overview, records, wording


class Headline(NamedTuple):
    """A question, the figure that answers it, and one sentence more."""

    question: str
    figure: str
    sentence: str


def headlines(matrix: matrices.AccuracyMatrix, rows: Sequence[records.Row]) -> tuple[Headline, ...]:
    """Return the answers for a run with at least one evaluation."""
    lines = overview.task_lines(matrix, rows)
    return (_learned(lines), _forgotten(lines), _cost(rows), _channel(rows))


def _learned(lines: Sequence[overview.TaskLine]) -> Headline:
    mean = overview.average(lines)
    best = _largest(lines, lambda line: line.final - line.first)
    moved = f"{wording.score(mean.first)} → {wording.score(mean.final)}"
    sentence = f"Mean test score of {_tasks(len(lines))} before the first lesson and at the end."
    if best is not None:
        scores = f"{wording.score(best.first)} → {wording.score(best.final)}"
        sentence += f" Most was gained on {best.name}: {scores}."
    return Headline("What was learned", moved, sentence)


def _forgotten(lines: Sequence[overview.TaskLine]) -> Headline:
    worst = _largest(lines, lambda line: line.forgetting)
    if worst is None:
        sentence = "No task was evaluated again after other lessons, so nothing can be said."
        return Headline("What was forgotten", wording.MISSING, sentence)
    mean = overview.average(lines).forgetting
    measured = sum(not math.isnan(line.forgetting) for line in lines)
    sentence = (
        f"Mean forgetting of {_tasks(measured)} taught before the end; positive means lost. "
        f"Most on {worst.name}: {wording.change(worst.forgetting)}."
    )
    return Headline("What was forgotten", wording.change(mean), sentence)


def _cost(rows: Sequence[records.Row]) -> Headline:
    spent = overview.costs(rows)
    used = {name: wording.tokens(cost._asdict()) for name, cost in spent.items()}
    parts = ", ".join(f"{name} {wording.quantity(count)}" for name, count in used.items())
    total = wording.quantity(sum(used.values()))
    steps = overview.slow_steps(rows)
    sentence = f"{total} tokens ({parts}) and {steps} weight updates."
    return Headline("What it cost", wording.duration(overview.seconds(rows)), sentence)


def _channel(rows: Sequence[records.Row]) -> Headline:
    question = "Which channel did it"
    means = overview.corner_means(overview.quadrants(rows))
    neither, prompts, weights, both = (means[corner] for corner in overview.CORNERS)
    if math.isnan(neither):
        changed = {name: c.get("changed", 0) for name, c in overview.outcomes(rows).items()}
        lessons = len(records.of_kind(rows, "lesson"))
        figure = f"fast {changed['fast']}, slow {changed['slow']}"
        return Headline(question, figure, f"Lessons out of {lessons} that changed the channel.")
    sentence = (
        f"Gain over neither ({wording.score(neither)}): prompts alone "
        f"{wording.change(prompts - neither)}, weights alone {wording.change(weights - neither)}, "
        f"both {wording.change(both - neither)}."
    )
    carrier = "prompts" if prompts > weights else "weights"
    return Headline(question, "both alike" if prompts == weights else f"mostly {carrier}", sentence)


def _largest(
    lines: Sequence[overview.TaskLine], figure: Callable[[overview.TaskLine], float]
) -> overview.TaskLine | None:
    known = [line for line in lines if not math.isnan(figure(line))]
    return max(known, key=figure, default=None)


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
