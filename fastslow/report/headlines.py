"""The answers a reader wants first: what was learned, what was forgotten, at what cost, and how."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    known = [line for line in lines if not math.isnan(line.final - line.first)]
    if not known:
        sentence = "No task was evaluated before the first lesson and at the last evaluation."
        return Headline("What was learned", wording.MISSING, sentence)
    best = max(known, key=lambda line: line.final - line.first)
    gained = f"Most was gained on {best.name}: {_moved(best)}."
    sentence = (
        f"Mean test score of {wording.count(len(known), 'task')} before the first lesson and at "
        f"the last evaluation. {gained if best.final > best.first else 'No task gained anything.'}"
    )
    return Headline("What was learned", _moved(overview.average(known)), sentence)


def _forgotten(lines: Sequence[overview.TaskLine]) -> Headline:
    known = [line for line in lines if not math.isnan(line.forgetting)]
    if not known:
        sentence = "No task was evaluated again after other lessons, so nothing can be said."
        return Headline("What was forgotten", wording.MISSING, sentence)
    worst = max(known, key=lambda line: line.forgetting)
    lost = f"Most on {worst.name}: {wording.change(worst.forgetting)}."
    sentence = (
        f"Mean forgetting of {wording.count(len(known), 'task')} taught before the end; positive "
        f"means lost. {lost if worst.forgetting > 0 else 'No task lost anything.'}"
    )
    mean = overview.average(known).forgetting
    return Headline("What was forgotten", wording.change(mean), sentence)


def _cost(rows: Sequence[records.Row]) -> Headline:
    spent = overview.costs(rows)
    used = {name: wording.tokens(cost._asdict()) for name, cost in spent.items()}
    parts = ", ".join(f"{name} {wording.quantity(count)}" for name, count in used.items())
    total = wording.quantity(sum(used.values()))
    steps = overview.slow_steps(rows)
    sentence = f"{total} tokens ({parts}) and {steps} slow steps."
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
    gains = (prompts - neither, weights - neither, both - neither)
    alone, other, together = map(wording.change, gains)
    sentence = (
        f"Gain over neither ({wording.score(neither)}): prompts alone {alone}, "
        f"weights alone {other}, both {together}; the weights add "
        f"{wording.change(both - prompts)} to what the prompts do."
    )
    return Headline(question, _carrier(*gains), sentence)


def _carrier(prompts: float, weights: float, both: float) -> str:
    """Name the channel whose gain is larger, if there is any gain."""
    if max(prompts, weights, both) <= 0:
        return "no gain"
    if prompts == weights:
        return "both alike"
    return "mostly prompts" if prompts > weights else "mostly weights"


def _moved(line: overview.TaskLine) -> str:
    return f"{wording.score(line.first)} → {wording.score(line.final)}"
