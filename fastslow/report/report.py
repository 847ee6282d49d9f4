"""Write everything a person reads of a run, from the files of its directory alone."""

from __future__ import annotations

import pathlib
import sys
import warnings

from fastslow import files
from fastslow.metrics import matrix as matrices
from fastslow.report import (
    channels,
    consoles,
    curves,
    decisions,
    figures,
    overview,
    records,
    runs,
    table,
)
from fastslow.report.page import of_run


def write(directory: files.PathLike) -> pathlib.Path:
    """Write matrix.csv, the figures, report.md and report.html; return the path of the last.

    Works on a run that is not finished too, and says so in the page. Raises RunDirectoryError if
    there is no run, RecordsError if its records are corrupt, WriteError.
    """
    path = pathlib.Path(directory)
    run = runs.read(path, comparable=False)
    _write_matrix(path, run.rows)
    pictures = [(picture, figures.to_png(picture.figure)) for picture in draw(run.rows)]
    for picture, png in pictures:
        files.write_bytes_atomic(path / f"{picture.name}.png", png)
    files.write_text_atomic(path / "report.md", markdown(run))
    files.write_bytes_atomic(path / "report.html", of_run.render(run, pictures))
    return path / "report.html"


def show(directory: files.PathLike) -> None:
    """Print the tables of scores, drift and cost, and where the report is."""
    run = runs.read(directory, comparable=False)
    console = consoles.on(sys.stdout)
    if not overview.finished(run.rows):
        events = overview.events(run.rows)
        console.print(f"This run has not finished: this is after {events} recorded events.")
    table.show(table.summary(run.rows), console)
    page = pathlib.Path(directory) / "report.html"
    console.print(f"Report: {page}", highlight=False, markup=False)


def draw(rows: list[records.Row]) -> list[figures.Picture]:
    """Return every figure that there is something to show in."""
    matrix, _ = overview.accuracy(rows)
    with figures.style():
        scored = (
            [
                curves.forgetting(matrix, rows),
                curves.accuracy_matrix(matrix, rows),
                curves.learning(matrix, rows),
            ]
            if matrix
            else []
        )
        maybe = [channels.timeline(rows), channels.quadrants(rows), curves.drift(rows)]
        return [*scored, *(picture for picture in maybe if picture), channels.costs(rows)]


def markdown(run: runs.Run) -> str:
    """Return the tables as a Markdown document."""
    state = "" if overview.finished(run.rows) else " (unfinished)"
    tried = decisions.trials(run.rows)
    shown = [*table.summary(run.rows), table.lessons(run.rows), *([tried] if tried.rows else [])]
    body = map(table.to_markdown, shown)
    return "\n".join([f"# {table.escape(run.name)}{state}\n", *body])


def _write_matrix(directory: pathlib.Path, rows: list[records.Row]) -> None:
    matrix, _ = overview.accuracy(rows)
    if matrix is None:
        return
    try:
        text = matrices.to_csv(matrix)
    except matrices.MatrixError as error:  # a name the format cannot hold: the rest is still good
        warnings.warn(f"no matrix.csv: {error}", stacklevel=2)
        return
    files.write_text_atomic(directory / "matrix.csv", text)
