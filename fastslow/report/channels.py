"""Figures of which channel did what, what it gained and what it cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import axes

from fastslow import types
from fastslow.report import figures, overview, panels, records, table, wording

_TOKENS = {
    "prompt_tokens": ("prompt", (figures.SKY, "")),
    "completion_tokens": ("completion", (figures.BLUE, "")),
    "train_tokens": ("trained on", (figures.ORANGE, "//")),
}
_ROWS = {"fast": 1, "slow": 0}  # prompts come first, so they stand above
_MAX_NAMED_LESSONS = 30


def timeline(rows: Sequence[records.Row]) -> figures.Picture | None:
    """Draw what became of every lesson in each channel; None before the first lesson."""
    lessons = records.of_kind(rows, "lesson")
    if not lessons:
        return None
    drawn, (panel,) = figures.new(max(5.0, min(12.0, 1.8 + 0.55 * len(lessons))), 2.5)
    for outcome, (colour, marker, _) in panels.OUTCOMES.items():
        places = [
            (number, _ROWS[part["channel"]])
            for number, row in enumerate(lessons, 1)
            for part in row["absorbed"]
            if part["outcome"] == outcome
        ]
        across, up = zip(*places, strict=True) if places else ((), ())
        panel.scatter(across, up, marker=marker, s=70, color=colour, label=outcome, zorder=3)
    panel.set_yticks([1, 0], ["fast\n(prompts)", "slow\n(weights)"])
    panel.set_ylim(-0.6, 1.6)
    panel.set_xlim(0.4, len(lessons) + 0.6)
    panels.name_lessons(panel, [row["task"] for row in lessons], _MAX_NAMED_LESSONS)
    panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    caption = "What each lesson did in each channel; the reasons are in the table of lessons."
    return figures.Picture("channels", "Channel timeline", caption, drawn)


def quadrants(rows: Sequence[records.Row]) -> figures.Picture | None:
    """Draw {base, trained} weights x {seed, evolved} prompts; None before they were measured."""
    by_task = overview.quadrants(rows)
    if not by_task:
        return None
    groups = {**by_task, table.corner_average(by_task): overview.corner_means(by_task)}
    drawn, (panel,) = figures.new(7.2, 1.0 + 0.72 * len(groups))
    for corner in overview.CORNERS:
        scores = np.array([scores[corner] for scores in groups.values()])
        places = panels.corner_bars(panel, corner, scores)
        for place, score in zip(places, scores, strict=True):
            text, end = (wording.MISSING, 0) if math.isnan(score) else (f"{score:.2f}", score)
            panel.text(end + 0.008, place, text, va="center", fontsize=7)
    panel.set_yticks(range(len(groups)), [figures.short(name) for name in groups])
    panel.set_ylim(len(groups) - 0.45, -0.55)
    panel.grid(visible=False, axis="y")
    panel.set_xlim(0, 1.05)
    panel.set_xlabel("Score (0 to 1)")
    panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    caption = "Final score with base or trained weights and with seed or evolved prompts."
    return figures.Picture("quadrants", "Which channel carries the gain", caption, drawn)


def costs(rows: Sequence[records.Row]) -> figures.Picture:
    """Draw tokens and time by channel."""
    spent = overview.costs(rows)
    drawn, (tokens, times) = figures.new(7.2, 2.3, 1, 2)
    _stack_tokens(tokens, spent)
    seconds = [cost.seconds for cost in spent.values()]
    times.barh(list(spent), seconds, color=figures.GREY)
    panels.write_ends(times, seconds, [wording.duration(value) for value in seconds])
    times.set_xlabel("Time (seconds)")
    for panel in (tokens, times):
        panel.invert_yaxis()
        panel.grid(visible=False, axis="y")
        panel.locator_params(axis="x", nbins=4)
    caption = "What each channel and the evaluations used."
    return figures.Picture("costs", "Cost by channel", caption, drawn)


def _stack_tokens(panel: axes.Axes, spent: Mapping[str, types.Cost]) -> None:
    parts = {
        label: np.array([getattr(cost, field) for cost in spent.values()], np.float64)
        for field, (label, _) in _TOKENS.items()
    }
    total = panels.stack(panel, list(spent), parts, dict(_TOKENS.values()))
    panels.write_ends(panel, total.tolist(), [wording.quantity(value) for value in total])
    panel.set_xlabel("Tokens")
    panel.xaxis.set_major_formatter(lambda value, _: wording.quantity(value))
    panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
