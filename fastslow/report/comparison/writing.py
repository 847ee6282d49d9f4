"""Everything a comparison leaves: tables in four forms, the measurements, and the figures."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence

import rich.console

from fastslow import files
from fastslow.report import figures, formats, runs, table
from fastslow.report.comparison import bars, comparing, curves, tables
from fastslow.report.page import of_comparison

_FIGURES = {  # by the names of their files
    "forgetting": curves.forgetting,
    "accuracy_matrices": curves.accuracy_matrices,
    "learning": curves.learning,
    "drift": curves.drift,
    "prompts": curves.prompts,
    "channels": bars.timeline,
    "quadrants": bars.quadrants,
    "costs": bars.costs,
}


def show(comparison: comparing.Comparison, console: rich.console.Console) -> None:
    """Print the tables and what must be known to read them."""
    table.show(tables.every(comparison), console)
    for note in comparison.notes:
        console.print(f"- {note}", highlight=False, markup=False)


def write(comparison: comparing.Comparison, directory: files.PathLike) -> list[pathlib.Path]:
    """Write report.html, comparison.md, .tex, .csv, measurements.csv and figures; return the paths.

    comparison.csv holds every estimate in full; measurements.csv what runs.load_runs returns.
    Figures of an earlier comparison that this one does not draw are removed from the folder.
    Raises WriteError, and RunsError for a run directory, which has a report of its own to lose.
    """
    folder = files.make_directory(directory)
    if runs.is_run(folder):
        raise runs.RunsError(f"{folder} holds a run and its report: write to another folder")
    shown = tables.every(comparison)
    everything = [row for one in comparison.listed for row in runs.measurements(one.run)]
    pictures = draw(comparison)
    texts = {
        "comparison.md": markdown(comparison, shown, pictures),
        "comparison.tex": latex(comparison, shown),
        "comparison.csv": formats.to_csv(tables.flat(comparison)),
        "measurements.csv": formats.to_csv(everything),
    }
    for name, text in texts.items():
        files.write_text_atomic(folder / name, text)
    written = [folder / name for name in texts]
    with figures.print_style():
        for picture in pictures:
            for kind in figures.FORMATS:
                path = folder / f"{picture.name}.{kind}"
                files.write_bytes_atomic(path, figures.encode(picture.figure, kind))
                written.append(path)
        embedded = [(p, figures.encode(p.figure, "png", figures.DPI)) for p in pictures]
    page = of_comparison.render(comparison, shown, embedded)
    files.write_bytes_atomic(folder / "report.html", page)
    _remove_figures(folder, _FIGURES.keys() - {picture.name for picture in pictures})
    return [*written, folder / "report.html"]


def draw(comparison: comparing.Comparison) -> list[figures.Picture]:
    """Return every figure that there is something to show in."""
    if not any(method.runs for method in comparison.methods):
        return []
    with figures.print_style():
        return [picture for make in _FIGURES.values() if (picture := make(comparison)) is not None]


def markdown(
    comparison: comparing.Comparison,
    shown: Sequence[table.Table],
    pictures: Sequence[figures.Picture],
) -> str:
    """Return notes, tables and figures as a Markdown document."""
    notes = "\n".join(f"- {table.escape(note)}" for note in comparison.notes)
    drawn = [f"## {p.title}\n\n![{p.title}]({p.name}.png)\n\n{p.caption}\n" for p in pictures]
    return "\n".join(["# Comparison\n", notes + "\n", *map(table.to_markdown, shown), *drawn])


def latex(comparison: comparing.Comparison, shown: Sequence[table.Table]) -> str:
    """Return the tables for LaTeX, with the notes as comments."""
    notes = "".join(f"% {' '.join(note.split())}\n" for note in comparison.notes)
    return "\n".join([f"% needs {formats.PACKAGES}\n{notes}", *map(formats.to_latex, shown)])


def _remove_figures(folder: pathlib.Path, names: Iterable[str]) -> None:
    for name in names:
        for kind in figures.FORMATS:
            path = folder / f"{name}.{kind}"
            with files.naming(path):
                path.unlink(missing_ok=True)
