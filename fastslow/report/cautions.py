"""What makes the results of a run doubtful: cut answers, collapse to one, failures, few answers."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Mapping, Sequence

from fastslow import types
from fastslow.report import overview, records, wording

_SIGMAS = 2.0  # within so many standard errors two scores cannot be told apart
_SHARE = 0.9  # of a task's answers that are one and the same
_FEW = 5  # answers, below which their likeness says nothing


def warnings(
    lines: Iterable[overview.TaskLine],
    rows: Sequence[records.Row],
    answers: Mapping[str, Sequence[tuple[str, str]]],
) -> list[str]:
    """Return a sentence for every doubt; [] if there is none.

    `answers`: (target, prediction) of each task at its last evaluation, as far as they are known.
    """
    taught = [line for line in lines if line.lessons]
    doubts = [_doubt(line, rows, answers.get(line.name, ())) for line in taught]
    return [*(doubt for doubt in doubts if doubt), *_failures(rows)]


def precision(rows: Iterable[records.Row]) -> str:
    """Say how far chance can move a score: 95% at a score of 0.5; "" if there is none."""
    counts = {n for row in records.of_kind(rows, "evaluation") for n in row["counts"].values() if n}
    if not counts:
        return ""
    fewest, most = min(counts), max(counts)
    number = str(most) if fewest == most else f"{fewest} to {most}"
    margin = wording.score(1.96 * _standard_error(0.5, fewest))
    return (
        f"A score is the mean of {number} test answers, so chance alone can move it by "
        f"±{margin} (95%)."
    )


def beside_constant(score: float, constant: float, count: int) -> str:
    """Say how a mean of `count` answers stands to a constant answer's score; "" if well above.

    "Cannot be told from": within two standard errors. "" also where one of them is not known.
    """
    if math.isnan(score) or math.isnan(constant) or not count:
        return ""
    margin = _SIGMAS * _standard_error(constant, count)
    if score < constant - margin:
        return "is below"
    return "cannot be told from" if score <= constant + margin else ""


def last_count(task: str, rows: Iterable[records.Row]) -> int:
    """Return how many answers are behind the last score of a task; 0 if it was never evaluated."""
    counts = [row["counts"].get(task, 0) for row in records.of_kind(rows, "evaluation")]
    return next((count for count in reversed(counts) if count), 0)


def _doubt(
    line: overview.TaskLine, rows: Sequence[records.Row], answers: Sequence[tuple[str, str]]
) -> str:
    """Say whether a task's last answers were cut, or no better than one given to everything."""
    parts = [part for part in (_length(answers), _sameness(answers), _baseline(line, rows)) if part]
    return f"{line.name}: {'; '.join(parts)}." if parts else ""


def _baseline(line: overview.TaskLine, rows: Sequence[records.Row]) -> str:
    answer = overview.constant_answers(rows).get(line.name, "")
    standing = beside_constant(line.final, line.constant, last_count(line.name, rows))
    always = f"the {wording.score(line.constant)} of always answering “{_brief(answer)}”"
    return f"the last score, {wording.score(line.final)}, {standing} {always}" if standing else ""


def _length(answers: Sequence[tuple[str, str]]) -> str:
    cut = sum(answer.endswith(types.CUT) for _, answer in answers)
    if cut <= len(answers) / 2:
        return ""
    return f"{cut} of the last {len(answers)} answers did not end within evaluation.max_tokens"


def _sameness(answers: Sequence[tuple[str, str]]) -> str:
    given = [answer for _, answer in answers]
    if len(given) < _FEW or len({target for target, _ in answers}) < 2:
        return ""
    ((commonest, count),) = collections.Counter(given).most_common(1)
    if count < _SHARE * len(given):
        return ""
    return f"{count} of the last {len(given)} answers are “{_brief(commonest)}”, whatever is asked"


def _failures(rows: Iterable[records.Row]) -> list[str]:
    failed = [
        (number, part)
        for number, row in enumerate(records.of_kind(rows, "lesson"), 1)
        for part in row["absorbed"]
        if part["outcome"] == "failed"
    ]
    return [f"Lesson {n} failed in the {p['channel']} channel: {p['reason']}." for n, p in failed]


def _standard_error(score: float, count: int) -> float:
    return math.sqrt(score * (1 - score) / count)


def _brief(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
