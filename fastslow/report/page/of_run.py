"""The page of one run: what it came to, how, and every answer it gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastslow import config, types
from fastslow.report import (
    cautions,
    decisions,
    figures,
    headlines,
    overview,
    prompt_files,
    runs,
    table,
)
from fastslow.report.page import answers, layout, versions

_COLUMN = 500  # pixels, below which a figure's text is too small


def render(run: runs.Run, pictures: Sequence[tuple[figures.Picture, bytes]]) -> bytes:
    """Return the page; `pictures` are figures with their PNG files."""
    matrix, problem = overview.accuracy(run.rows)
    given = answers.read(run.directory, run.rows)
    sections = [
        _figures(pictures),
        _tables(run),
        _prompts(run),
        _decisions(run),
        _answers(run, given),
        _settings(run.about),
    ]
    page = layout.Page(
        title=run.name,
        state="finished" if overview.finished(run.rows) else "unfinished",
        setup=setup(run.config),
        heads=headlines.headlines(matrix, run.rows) if matrix else (),
        sentences=_sentences(run, problem),
        warnings=_warnings(run, given) if matrix else (),
        sections=[section for section in sections if section],
    )
    return layout.render(page)


def setup(resolved: Mapping[str, types.Json]) -> str:
    """Return one line of what was run: model, stream, scheduler, channels, seed."""
    named = [
        f"{part} {resolved[part]['name']}"
        for part in ("model", "stream", "scheduler", "fast", "slow")
        if isinstance(resolved.get(part), Mapping)
    ]
    seeds = [f"{key.replace('_', ' ')} {resolved[key]}" for key in runs.SEEDS if key in resolved]
    return " · ".join([*named, *seeds])


def _sentences(run: runs.Run, problem: str) -> list[str]:
    events = overview.events(run.rows)
    unfinished = f"This run has not finished: the page shows the {events} events recorded so far."
    sentences = [
        "" if overview.finished(run.rows) else unfinished,
        f"There are no scores to show: {problem}." if problem else "",
        cautions.precision(run.rows),
    ]
    return [sentence for sentence in sentences if sentence]


def _warnings(run: runs.Run, given: Sequence[answers.Answer]) -> list[str]:
    matrix, _ = overview.accuracy(run.rows)
    lines = overview.task_lines(matrix, run.rows) if matrix else ()
    pairs = {
        task: [(answer.target, answer.answer) for answer in listed]
        for task, listed in answers.last(given).items()
    }
    return cautions.warnings(lines, run.rows, pairs)


def _figures(pictures: Sequence[tuple[figures.Picture, bytes]]) -> layout.Section | None:
    embedded = [layout.embed(picture, png) for picture, png in pictures]
    return layout.figures_section(embedded, _COLUMN)


def _tables(run: runs.Run) -> layout.Section | None:
    return layout.tables_section("results", "Results", table.summary(run.rows))


def _prompts(run: runs.Run) -> layout.Section | None:
    tasks = versions.evolution(prompt_files.read(run.directory), run.rows)
    title = "How the prompts evolved"
    return layout.Section("prompts", title, "prompts.html", {"tasks": tasks}) if tasks else None


def _decisions(run: runs.Run) -> layout.Section | None:
    shown = [table.lessons(run.rows), decisions.trials(run.rows), decisions.facts(run.rows)]
    legend = [
        (fact.title.replace("\n", " "), fact.meaning)
        for fact in (decisions.FACTS[name] for name in decisions.known(run.rows))
    ]
    return layout.tables_section(
        "decisions", "Decisions", [one for one in shown if one.rows], legend
    )


def _answers(run: runs.Run, given: Sequence[answers.Answer]) -> layout.Section | None:
    if not given:
        return None
    content = {"answers": answers.columns(given, run.rows)}
    return layout.Section("answers", "Raw predictions", "answers.html", content)


def _settings(about: Mapping[str, types.Json]) -> layout.Section | None:
    rows = tuple((key, _text(value)) for key, value in config.leaves(about))
    shown = table.Table("", (), rows, texts=2)
    content = {"table": shown}
    title = "Configuration and versions"
    return layout.Section("settings", title, "settings.html", content, opened=False)


def _text(value: types.Json) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
