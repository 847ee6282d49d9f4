"""The tables of a run: built once as text cells, shown on a terminal, as Markdown or in HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import rich.box
import rich.console
import rich.table
import rich.text

from fastslow import types
from fastslow.metrics import matrix as matrices
from fastslow.metrics import summary as summaries
from fastslow.report import overview, records, wording

_TASK_COLUMNS = (
    "Lessons",
    "First",
    "After\nlearning",
    "Final",
    "Forgetting",
    "Constant\nanswer",
)
_METRIC_NAMES = {
    "average_accuracy": ("Average accuracy at the end", "higher is better"),
    "learning_accuracy": ("Learning accuracy", "right after a task's last lesson"),
    "forgetting": ("Forgetting", "positive = forgot"),
    "backward_transfer": ("Backward transfer", "positive = later lessons helped"),
    "forward_transfer": ("Forward transfer", "positive = earlier lessons helped"),
}


class Table(NamedTuple):
    """Text cells; `texts` says how many leading columns are words (the others are numbers).

    A line break in the header is where to break it so that the table fits a terminal.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footer: tuple[str, ...] = ()  # a closing row of averages or totals
    texts: int = 1


def summary(rows: Sequence[records.Row]) -> list[Table]:
    """Return the tables of scores, drift and cost; those with nothing to show are left out."""
    matrix, _ = overview.accuracy(rows)
    scored = [results(matrix, rows), kinds(matrix, rows), metrics(matrix)] if matrix else []
    return [t for t in (*scored, quadrants(rows), drift(rows), costs(rows)) if t.rows]


def results(matrix: matrices.AccuracyMatrix, rows: Sequence[records.Row]) -> Table:
    """Return per task: score before, after learning and at the end, and forgetting.

    Beside them what the best constant answer scores: near it, a model may give only one.
    """
    lines = overview.task_lines(matrix, rows)
    body = tuple(_task_cells(line) for line in lines)
    footer = _task_cells(overview.average(lines))
    return Table("Scores by task", ("Task", *_TASK_COLUMNS), body, footer)


def kinds(matrix: matrices.AccuracyMatrix, rows: Sequence[records.Row]) -> Table:
    """Return the same scores averaged over the tasks of a kind; no rows if none is known."""
    lines, kind_of = overview.task_lines(matrix, rows), overview.kinds(rows)
    grouped = {
        kind: [line for line in lines if kind_of.get(line.name) == kind]
        for kind in dict.fromkeys(kind_of.values())
    }
    body = tuple(
        _task_cells(overview.average(of_kind)._replace(name=kind))
        for kind, of_kind in grouped.items()
        if of_kind
    )
    return Table("Scores by kind of task", ("Kind", *_TASK_COLUMNS), body)


def metrics(matrix: matrices.AccuracyMatrix) -> Table:
    """Return the averages over tasks that the field reports, with how to read them."""
    values = summaries.summarise(matrix)
    missing = matrices.not_evaluated_last(matrix)
    without = f"; without {', '.join(missing)}" if missing else ""
    body = tuple(
        (
            title,
            reading + without * (name == "average_accuracy"),
            wording.score(values[name])
            if name.endswith("accuracy")
            else wording.change(values[name]),
        )
        for name, (title, reading) in _METRIC_NAMES.items()
    )
    return Table("Continual-learning metrics", ("Metric", "Reading", "Value"), body, texts=2)


def drift(rows: Sequence[records.Row]) -> Table:
    """Return per task the exact divergence from the base model, in both directions."""
    kinds = [(c, d) for c in overview.CONDITIONS for d in overview.DIRECTIONS]
    names = (f"{overview.DIRECTIONS[d]}\n{overview.CONDITIONS[c]}" for c, d in kinds)
    body = tuple(
        (task, *(wording.divergence(report.get(c, {}).get(d)) for c, d in kinds))
        for task, report in overview.last_drift(rows).items()
    )
    return Table("Drift from the base model, nats per token", ("Task", *names), body)


def costs(rows: Sequence[records.Row]) -> Table:
    """Return what each channel and the evaluations used, and the total.

    A reflection model has a column only where one was asked.
    """
    spent = overview.costs(rows)
    total = sum(spent.values(), types.Cost())._replace(seconds=overview.seconds(rows))
    columns: dict[str, Callable[[types.Cost], str]] = {
        "Tokens\nread": lambda cost: wording.quantity(cost.prompt_tokens),
        "Tokens\nwritten": lambda cost: wording.quantity(cost.completion_tokens),
        "Tokens\ntrained": lambda cost: wording.quantity(cost.train_tokens),
        "Answers\nscored": lambda cost: wording.quantity(cost.metric_calls),
        "FLOP": lambda cost: wording.quantity(cost.flops),
        "Time": lambda cost: wording.duration(cost.seconds),
    }
    if total.reflection_calls:
        columns["Reflection\ncalls, tokens"] = _reflection
    body = tuple((name, *(of(cost) for of in columns.values())) for name, cost in spent.items())
    footer = ("total", *(of(total) for of in columns.values()))
    return Table("Cost by channel", ("Channel", *columns), body, footer)


def lessons(rows: Sequence[records.Row]) -> Table:
    """Return per lesson what was decided, why, and what became of it in each channel."""
    header = ("Lesson", "Task", "Decision", "Reason", "Fast channel", "Slow channel")
    body = tuple(
        (
            str(number),
            row["task"],
            wording.decided(row),
            row["decision"]["reason"],
            _outcome(row, "fast") + _reselected(row),
            _outcome(row, "slow"),
        )
        for number, row in enumerate(records.of_kind(rows, "lesson"), 1)
    )
    return Table("Lessons and decisions", header, body, texts=len(header))


def quadrants(rows: Sequence[records.Row]) -> Table:
    """Return per task the scores of base or trained weights with seed or evolved prompt."""
    header = ("Task", *(name.capitalize() for name in overview.CORNERS.values()))
    by_task = overview.quadrants(rows)
    body = tuple(
        (task, *(wording.score(corners[c]) for c in overview.CORNERS))
        for task, corners in by_task.items()
    )
    means = overview.corner_means(by_task)
    footer = (corner_average(by_task), *(wording.score(means[c]) for c in overview.CORNERS))
    return Table("Which channel carries the gain", header, body, footer if body else ())


def corner_average(by_task: Mapping[str, Mapping[str, float]]) -> str:
    """Return what to call the means of the corners: they leave out incomplete tasks."""
    left_out = len(by_task) - len(overview.complete(by_task))
    return f"average without {left_out} incomplete" if left_out else "average"


def to_rich(table: Table) -> rich.table.Table:
    """Return the table for a terminal."""
    shown = rich.table.Table(
        title=rich.text.Text(table.title, style="bold"),
        title_justify="left",
        box=rich.box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for number, name in enumerate(table.header):
        side: Literal["left", "right"] = "left" if number < table.texts else "right"
        shown.add_column(rich.text.Text(name), justify=side, overflow="fold")
    for row in table.rows:
        shown.add_row(*map(rich.text.Text, row))
    if table.footer:
        shown.add_section()
        shown.add_row(*map(rich.text.Text, table.footer), style="bold")
    return shown


def to_markdown(table: Table) -> str:
    """Return the table as GitHub-flavoured Markdown under a heading."""
    rule = ["---" if n < table.texts else "---:" for n in range(len(table.header))]
    bold = tuple(f"**{escape(cell)}**" for cell in table.footer)
    escaped = [tuple(map(escape, row)) for row in (table.header, *table.rows)]
    lines = [escaped[0], tuple(rule), *escaped[1:], *([bold] if bold else [])]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {escape(table.title)}\n\n{body}\n"


def escape(cell: str) -> str:
    """Keep a cell in its cell, and its characters what they are."""
    for character in "\\|<>*_`$[]":
        cell = cell.replace(character, "\\" + character)
    return " ".join(cell.split())


def _task_cells(line: overview.TaskLine) -> tuple[str, ...]:
    scores = (line.first, line.learned, line.final)
    compared = (wording.change(line.forgetting), wording.score(line.constant))
    return (line.name, str(line.lessons), *map(wording.score, scores), *compared)


def _reflection(cost: types.Cost) -> str:
    tokens = cost.reflection_prompt_tokens + cost.reflection_completion_tokens
    return f"{wording.quantity(cost.reflection_calls)}, {wording.quantity(tokens)}"


def _outcome(row: records.Row, channel: str) -> str:
    for part in row["absorbed"]:
        if part["channel"] == channel:
            return f"{part['outcome']}: {part['reason']}{_moved(part)}"
    return wording.MISSING


def _reselected(row: records.Row) -> str:
    """Return which prompts were replaced by the choice after the lesson; nothing if none was."""
    part = row.get("reselected")
    if part is None or part["outcome"] != "changed":
        return ""
    return f"; on validation {part['reason']}{_moved(part)}"


def _moved(part: Mapping[str, Any]) -> str:
    before, after = part["reward_before"], part["reward_after"]
    if before is None and after is None:
        return ""
    return f" ({wording.score(before)} → {wording.score(after)})"


def show(tables: Sequence[Table], console: rich.console.Console) -> None:
    """Print the tables."""
    for table in tables:
        console.print(to_rich(table))
