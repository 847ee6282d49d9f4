"""Figures of a comparison by channel: what each lesson did, who carries the gain, what it cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import axes, patches

from fastslow.metrics import statistics
from fastslow.report import figures, overview, panels, records, runs, wording
from fastslow.report.comparison import comparing, groups, series

_PARTS = {
    "fast": (figures.SKY, ""),
    "slow": (figures.ORANGE, "//////"),
    "evaluation": ("#BBBBBB", "......"),
    "deciding": (figures.PURPLE, "xxxxxx"),
}
_MAX_NAMED_LESSONS = 16
_MAX_TASKS = 5
_MEANS_AT = 1.2  # in a column of their own: at the end of an interval they read as its end


def timeline(comparison: comparing.Comparison) -> figures.Picture | None:
    """Draw, per method and channel, the share of runs in which each lesson ended how."""
    shown = [m for m in comparison.methods if any(runs.taught(run) for run in m.runs)]
    if not shown:
        return None
    lessons = max(len(runs.taught(run)) for method in shown for run in method.runs)
    drawn, (panel,) = figures.new(figures.DOUBLE, 1.0 + 0.52 * len(shown))
    lanes = [(method, channel) for method in shown for channel in overview.CHANNELS]
    for lane, (method, channel) in enumerate(lanes):
        place = lane + 0.35 * (lane // 2)
        for number in range(lessons):
            _share(panel, number + 1, place, _ended(method, channel, number))
    places = [lane + 0.35 * (lane // 2) for lane in range(len(lanes))]
    panel.set_yticks(places, [f"{method.label}  {channel}" for method, channel in lanes])
    panel.set_ylim(places[-1] + 0.55, -0.55)
    panel.set_xlim(0.5, lessons + 0.5)
    panel.grid(visible=False)
    panels.name_lessons(panel, series.common_plan(comparison.methods), _MAX_NAMED_LESSONS)
    handles = [
        patches.Patch(facecolor=colour, hatch=hatch, edgecolor="white", lw=0, label=outcome)
        for outcome, (colour, _, hatch) in panels.OUTCOMES.items()
    ]
    drawn.legend(handles=handles, loc="outside upper center", ncols=4)
    caption = "What each lesson did in each channel; height: share of the runs."
    return figures.Picture("channels", "Channel timeline", caption, drawn)


def quadrants(comparison: comparing.Comparison) -> figures.Picture | None:
    """Draw {base, trained} weights x {seed, evolved} prompts per method.

    None unless every run measured them, which is done at its end: means over some would mislead.
    """
    shown = [method for method in comparison.methods if method.runs]
    if not shown or not all(overview.quadrants(run.rows) for m in shown for run in m.runs):
        return None
    measured = [overview.quadrants(run.rows) for method in shown for run in method.runs]
    tasks = list(dict.fromkeys(task for by_task in measured for task in by_task))
    titles = ["average of tasks", *(tasks if 1 < len(tasks) <= _MAX_TASKS else [])]
    drawn, grid = figures.grid(len(titles), 0.25 + 0.54 * len(shown))
    for number, (title, panel) in enumerate(zip(titles, grid, strict=False)):
        for corner in overview.CORNERS:
            score = functools.partial(_corner, number and title, corner)
            scores = [comparison.estimate(comparing.values(method, score)) for method in shown]
            _corner_bars(panel, corner, scores)
        panel.set_title(figures.short(title), loc="left")
        panel.set_yticks(range(len(shown)), [method.label for method in shown])
        panel.set_ylim(len(shown) - 0.5, -0.5)
        panel.grid(visible=False, axis="y")
        panel.set_xlim(0, _MEANS_AT)
        panel.set_xticks([0, 0.25, 0.5, 0.75, 1])
    drawn.supxlabel("Final test score (0 to 1)", fontsize=8)
    handles, labels = grid[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=4)
    caption = (
        "Final score with base or trained weights and seed or evolved prompts: mean and 95% "
        "interval; the means as numbers at the right."
    )
    return figures.Picture("quadrants", "Which channel carries the gain", caption, drawn)


def costs(comparison: comparing.Comparison) -> figures.Picture | None:
    """Draw tokens, FLOP and time of every method by channel; None without a run that counts."""
    shown = [method for method in comparison.methods if method.runs]
    if not shown:
        return None
    drawn, grid = figures.new(figures.DOUBLE, 0.85 + 0.3 * len(shown), 1, 3, share=False)
    for panel, kind in zip(grid, ("tokens", "flops", "seconds"), strict=True):
        _cost_bars(panel, comparison, shown, kind)
        panel.invert_yaxis()
        panel.grid(visible=False, axis="y")
        panel.locator_params(axis="x", nbins=4)
    for panel in grid[1:]:
        panel.set_yticklabels([])
    handles, labels = grid[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=4)
    caption = "What channels and evaluations used: mean, and 95% interval of the total."
    return figures.Picture("costs", "Cost by channel", caption, drawn)


def _ended(method: groups.Method, channel: str, number: int) -> dict[str, float]:
    """Return the share of the runs with that lesson by how it ended in the channel."""
    ends = [
        part["outcome"]
        for run in method.runs
        for row in records.of_kind(run.rows, "lesson")[number : number + 1]
        for part in row["absorbed"]
        if part["channel"] == channel
    ]
    return {end: ends.count(end) / len(ends) for end in panels.OUTCOMES if end in ends}


def _share(panel: axes.Axes, lesson: int, place: float, shares: Mapping[str, float]) -> None:
    bottom = place + 0.45  # the axis points downwards
    for outcome, share in shares.items():
        colour, _, hatch = panels.OUTCOMES[outcome]
        panel.bar(
            lesson,
            -0.9 * share,
            0.9,
            bottom,
            facecolor=colour,
            hatch=hatch,
            edgecolor="white",
            lw=0,
        )
        bottom -= 0.9 * share


def _corner(task: str | int, corner: str, run: runs.Run) -> float:
    """Return a corner's score of one task, or of the average (no task); NaN if not measured."""
    by_task = overview.quadrants(run.rows)
    if not task:
        return overview.corner_means(by_task)[corner]
    return by_task.get(str(task), {}).get(corner, float("nan"))


def _corner_bars(panel: axes.Axes, corner: str, scores: Sequence[statistics.Estimate]) -> None:
    """Draw one corner's bar of every method, with its interval."""
    places = panels.corner_bars(panel, corner, np.array([one.mean for one in scores]))
    for place, one in zip(places, scores, strict=True):
        if not math.isnan(one.low):
            possible = np.clip([one.low, one.high], 0.0, 1.0)  # of a score
            panel.plot(possible, [place, place], color="#333333", lw=0.9)
        text = wording.MISSING if math.isnan(one.mean) else f"{one.mean:.2f}"
        panel.annotate(text, (_MEANS_AT, place), ha="right", va="center", fontsize=7)


def _cost_bars(
    panel: axes.Axes, comparison: comparing.Comparison, shown: Sequence[groups.Method], kind: str
) -> None:
    used = [[_spent(run, kind) for run in method.runs] for method in shown]
    everyone = [one for of_method in used for one in of_method]
    parts = {
        part: np.array(
            [np.mean([one.get(part, 0) for one in of_method]) for of_method in used], np.float64
        )
        for part in _PARTS
        if any(part in one for one in everyone)
    }
    names = [method.label for method in shown]
    means = panels.stack(panel, names, parts, _PARTS)
    sums = [
        {run.seeds: sum(one.values()) for run, one in zip(method.runs, of_method, strict=True)}
        for method, of_method in zip(shown, used, strict=True)
    ]
    totals = [comparison.estimate(of_method) for of_method in sums]
    for row, one in enumerate(totals):
        panel.plot([one.low, one.high], [row, row], color="#333333", lw=0.9)
    ends = np.fmax(means, np.array([one.high for one in totals]))  # NaN where there is one run
    write = wording.duration if kind == "seconds" else wording.quantity
    panels.write_ends(panel, ends.tolist(), list(map(write, means)), room=0.45, fontsize=7)
    panel.set_xlabel({"tokens": "Tokens", "flops": "FLOP", "seconds": "Time (seconds)"}[kind])
    panel.xaxis.set_major_formatter(lambda value, _: wording.quantity(value))


def _spent(run: runs.Run, kind: str) -> Mapping[str, float]:
    """Return what channels and evaluations used, in tokens, FLOP or seconds."""
    costs_of_run = overview.costs(run.rows)
    if kind == "tokens":
        return {name: wording.tokens(cost._asdict()) for name, cost in costs_of_run.items()}
    return {name: float(getattr(cost, kind)) for name, cost in costs_of_run.items()}
