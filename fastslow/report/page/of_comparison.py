"""The page of a comparison: what it shows, figures, tables, and how the methods are configured."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from fastslow.metrics import matrix as matrices
from fastslow.metrics import statistics
from fastslow.report import cautions, figures, headlines, runs, table, wording
from fastslow.report.comparison import comparing, groups, measures, series, tables
from fastslow.report.page import layout

_ZOOM = 1.4  # figures for print have small text
_COLUMN = 760  # pixels, below which it would be too small even so
_QUESTIONS = {  # measure -> the question that it answers
    "average_accuracy": "Who learned most",
    "forgetting": "Who forgot least",
    "tokens": "Who was cheapest",
    "drift_trained_base_with_prompt": "Who stayed closest to the base model",
}


def render(
    comparison: comparing.Comparison,
    shown: Sequence[table.Table],
    pictures: Sequence[tuple[figures.Picture, bytes]],
) -> bytes:
    """Return the page; `shown` are its tables, `pictures` figures with their PNG files."""
    embedded = [layout.embed(picture, png, _ZOOM) for picture, png in pictures]
    sections = [
        layout.figures_section(embedded, _COLUMN),
        layout.tables_section("results", "Results", shown),
        _settings(comparison),
    ]
    labels = [method.label for method in comparison.methods]
    page = layout.Page(
        title=f"Comparison of {', '.join(labels)}",
        state="",
        setup=f"{sum(len(m.runs) for m in comparison.methods)} runs, {comparison.point}",
        heads=_headlines(comparison),
        sentences=[*_verdicts(comparison), *comparison.notes],
        warnings=_warnings(comparison),
        sections=[section for section in sections if section],
    )
    return layout.render(page)


def _headlines(comparison: comparing.Comparison) -> list[headlines.Headline]:
    """Return the best method by each of a few measures, if runs tell, and how the others did."""
    heads = []
    for name, question in _QUESTIONS.items():
        if name not in comparison.measures:
            continue
        measure = measures.MEASURES[name]
        means = {
            method.label: comparison.estimate(comparing.values(method, measure.of))
            for method in comparison.methods
        }
        known = [m for m in comparison.methods if not math.isnan(means[m.label].mean)]
        if len(known) < 2:
            continue
        sign = -1 if measure.better == "higher" else 1
        order = sorted(known, key=lambda method: sign * means[method.label].mean)
        figure = _leaders(comparison, order, measure)
        listed = ", ".join(f"{m.label} {_interval(means[m.label], measure)}" for m in order)
        heads.append(headlines.Headline(question, figure, f"{measure.title}: {listed}."))
    return heads


def _leaders(
    comparison: comparing.Comparison, order: Sequence[groups.Method], measure: measures.Measure
) -> str:
    """Name the best of methods in order, with those that are not shown to be worse."""
    best, *others = order
    differences = [comparing.paired(comparison, other, best, measure.of) for other in others]
    beside = [
        other.label
        for other, difference in zip(others, differences, strict=True)
        if tables.verdict(difference, measure) != "worse"
    ]
    if all(difference.mean == 0 for difference in differences):
        return "all alike"
    if all(math.isnan(difference.low) for difference in differences):
        return f"{best.label}, by single runs"
    return " or ".join([best.label, *beside]) if len(beside) < len(others) else "undecided"


def _interval(estimate: statistics.Estimate, measure: measures.Measure) -> str:
    mean, low, high = map(measure.write, (estimate.mean, estimate.low, estimate.high))
    if math.isnan(estimate.low) or estimate.low == estimate.high:
        return mean
    return f"{mean} [{low}, {high}]"


def _verdicts(comparison: comparing.Comparison) -> list[str]:
    """Say of every method in what it is better or worse than the baseline, beyond chance."""
    sentences = []
    for method in comparison.methods:
        if comparison.baseline is None or method.label == comparison.baseline:
            continue
        read: dict[str, list[str]] = {}
        for name in comparison.measures:
            measure = measures.MEASURES[name]
            difference = comparing.difference(comparison, method, measure.of)
            verdict = tables.verdict(difference, measure)
            read.setdefault(verdict, []).append(_inside(measure.title))
        parts = [
            f"{verdict} in {', '.join(read[verdict])}"
            for verdict in ("better", "worse", "undecided")
            if verdict in read
        ]
        sentences.append(
            f"{method.label} beside {comparison.baseline}: "
            f"{'; '.join(parts) or 'too few pairs of runs to tell'}."
        )
    return sentences


def _inside(title: str) -> str:
    """Return a title as it stands in a list in a sentence; names like FLOP stay as they are."""
    title = title.replace(",", "")
    return title if title[1:2].isupper() else title[0].lower() + title[1:]


def _warnings(comparison: comparing.Comparison) -> list[str]:
    """Name methods that learned nothing, and scores not above that of the best constant answer."""
    constants = series.constants(comparison.methods)
    sentences = [
        f"{method.label} gained nothing, so there was nothing to forget, and no reason to drift."
        for method in comparison.methods
        if method.runs and all(_gain(run) <= 0 for run in method.runs)
    ]
    for method in comparison.methods:
        for task, constant in constants.items():
            # The runs answer the same items: more runs are no more items.
            count = min((cautions.last_count(task, run.rows) for run in method.runs), default=0)
            last = functools.partial(tables.last_score, task)
            score = comparison.estimate(comparing.values(method, last)).mean
            if standing := cautions.beside_constant(score, constant, count):
                always = f"the {wording.score(constant)} of the best constant answer"
                sentences.append(
                    f"{method.label} on {task}: {wording.score(score)} {standing} {always}."
                )
    return sentences


def _gain(run: runs.Run) -> float:
    """Return the largest gain of a task over the untouched model, at any evaluation of the run."""
    scores = matrices.from_records(run.rows).scores
    gains = scores - scores[0]
    return 0.0 if np.isnan(gains).all() else float(np.nanmax(gains))


def _settings(comparison: comparing.Comparison) -> layout.Section | None:
    """Return every setting, a column per method; those that differ come first."""
    methods = [method for method in comparison.methods if method.runs]
    if not methods:
        return None
    listed = [_listed(method) for method in methods]
    keys = dict.fromkeys(key for one in listed for key in one)
    rows = [(key, *(one.get(key, wording.MISSING) for one in listed)) for key in keys]
    rows.sort(key=lambda row: len(set(row[1:])) == 1)
    header = ("Setting", *(method.label for method in methods))
    shown = table.Table("", header, tuple(rows), texts=len(header))
    title = "Configuration and versions"
    return layout.Section("settings", title, "settings.html", {"table": shown}, opened=False)


def _listed(method: groups.Method) -> dict[str, str]:
    about = method.runs[0].about
    versions = about.get("versions", {})
    return {
        **groups.settings(method.runs[0]),
        **{f"version of {name}": str(version) for name, version in versions.items()},
        **{key: str(about.get(key, wording.MISSING)) for key in ("git", "devices")},
    }
