"""From run directories to a comparison: methods, the runs that count, estimates, differences."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fastslow import registry
from fastslow.metrics import efficiency, statistics
from fastslow.metrics import matrix as matrices
from fastslow.report import records, runs, wording
from fastslow.report.comparison import groups, measures, points

_FEW = 10  # runs, below which a percentile bootstrap is too narrow


class Listed(NamedTuple):
    """A run that was found, and why it is left out of the means (empty if it counts)."""

    run: runs.Run
    label: str
    left_out: str


class Comparison(NamedTuple):
    """Methods at one point of their runs; `methods` hold the runs that count, up to the point."""

    methods: tuple[groups.Method, ...]
    listed: tuple[Listed, ...]
    point: points.Point
    baseline: str | None
    interval: str  # a name of statistics.INTERVALS
    measures: tuple[str, ...]
    notes: tuple[str, ...]

    def estimate(self, values: Mapping[statistics.Seeds, float]) -> statistics.Estimate:
        """Return mean, standard error and interval, of the kind this comparison uses."""
        observed = statistics.by_seed(values)
        return statistics.estimate(observed, statistics.INTERVALS[self.interval])


class Effort(NamedTuple):
    """What a method needed to reach the baseline's best average score, pair by pair of runs."""

    pairs: int
    reached: int
    effort: float  # median over pairs, inf where most never got there
    ratio: float  # median of effort / the baseline's own


def compare(
    patterns: Sequence[str],
    *,
    by: Sequence[str] = ("scheduler",),
    metrics: Sequence[str] = (),
    baseline: str | None = None,
    at_equal: str | None = None,
    interval: str = "t",
) -> Comparison:
    """Read the runs matching the patterns and group, check and align them.

    `by`: dotted configuration keys; `metrics`: names of measures.MEASURES, all if there are none;
    `baseline`: label of a method; `at_equal`: a name of points.UNITS, or None for the end. Raises
    RunsError, RecordsError, registry.UnknownNameError, MatrixError.
    """
    for kind, names, known in (
        ("metric", metrics, measures.MEASURES),
        ("cost", [at_equal] if at_equal else [], points.UNITS),
        ("interval", [interval], statistics.INTERVALS),
    ):
        for name in names:
            if name not in known:
                raise registry.unknown(kind, name, known)
    directories, others = runs.find(patterns)
    everyone = groups.by_keys([runs.read(directory) for directory in directories], by)
    labels = [method.label for method in everyone]
    if baseline is not None and baseline not in labels:
        raise registry.unknown("method", baseline, labels)
    groups.check(everyone, by)
    everyone = tuple(sorted(everyone, key=lambda method: method.label != baseline))
    point = points.choose(everyone, at_equal)
    methods, listed = _counted(everyone, point)
    no_run = (f"Passed over, holds no run: {path}." for path in others)
    notes = (*no_run, *_notes(everyone, methods, listed, point, interval, baseline, by))
    return Comparison(
        methods, listed, point, baseline, interval, tuple(metrics or measures.MEASURES), notes
    )


def values(method: groups.Method, of: Callable[[runs.Run], float]) -> dict[statistics.Seeds, float]:
    """Return a number of every run by its seeds."""
    return {run.seeds: of(run) for run in method.runs}


def difference(
    comparison: Comparison, method: groups.Method, of: Callable[[runs.Run], float]
) -> statistics.Estimate:
    """Return the mean of method - baseline over the runs paired by their seeds."""
    return paired(comparison, method, baseline(comparison), of)


def paired(
    comparison: Comparison,
    method: groups.Method,
    other: groups.Method,
    of: Callable[[runs.Run], float],
) -> statistics.Estimate:
    """Return the mean of method - other over the runs paired by their seeds."""
    return comparison.estimate(statistics.paired_differences(values(method, of), values(other, of)))


def baseline(comparison: Comparison) -> groups.Method:
    """Return the baseline; the comparison must have one."""
    return next(m for m in comparison.methods if m.label == comparison.baseline)


def effort_to_baseline(comparison: Comparison, method: groups.Method, effort: str) -> Effort:
    """Return the effort to the best mean score of the baseline's run with the same seeds."""
    others = {run.seeds: run for run in baseline(comparison).runs}
    pairs = [(run, others[run.seeds]) for run in method.runs if run.seeds in others]
    curve = functools.partial(efficiency.curve, effort=efficiency.EFFORTS[effort])
    curves = [(curve(run.rows), curve(other.rows)) for run, other in pairs]
    known = [(own, other) for own, other in curves if not np.isnan(other.scores).all()]
    efforts = [efficiency.effort_to_reach(a, float(np.nanmax(b.scores))) for a, b in known]
    ratios = [efficiency.relative_effort(a, b) for a, b in known]
    reached = int(np.isfinite(efforts).sum())
    return Effort(len(known), reached, _median(efforts), _median(ratios))


def _counted(
    everyone: Sequence[groups.Method], point: points.Point
) -> tuple[tuple[groups.Method, ...], tuple[Listed, ...]]:
    methods, listed = [], []
    for method in everyone:
        kept = []
        twins = groups.twins(method)
        for run in method.runs:
            upto, left_out = points.cut(run, point)
            if upto and (twin := twins.get(run.seeds)):
                upto, left_out = (
                    None,
                    f"the same run as {twin}, whose order seed draws the same order",
                )
            listed.append(Listed(run, method.label, left_out))
            kept += [upto] if upto else []
        methods.append(groups.Method(method.label, tuple(kept)))
    return tuple(methods), tuple(listed)


def _notes(
    everyone: Sequence[groups.Method],
    methods: Sequence[groups.Method],
    listed: Sequence[Listed],
    point: points.Point,
    interval: str,
    baseline_label: str | None,
    by: Sequence[str],
) -> list[str]:
    """Say in words what a reader must know to read the numbers right."""
    return [
        f"Methods are compared {point}{_how(point)}.",
        f"Intervals: 95%, {statistics.NAMES[interval]}, over {_observations(methods)}, each on its "
        "own: not corrected for looking at several.",
        *_few(methods, interval),
        *_standing(everyone, methods, point),
        *_torn(everyone),
        *_left_out(methods, listed, point),
        *_without_effort(everyone, point),
        *_not_evaluated(methods),
        *_reflecting(methods),
        *_untouched(methods, point),
        *_unpaired(methods, baseline_label),
        *(f"Methods differ also in {one}." for one in groups.other_differences(everyone, by)),
        *_code(everyone),
    ]


def _how(point: points.Point) -> str:
    if point.effort is None:
        return ""
    return (
        " in lessons, the most that all complete runs spent: each at its last evaluation within "
        "that (see the costs in the tables for what it had used)"
    )


def _few(methods: Sequence[groups.Method], interval: str) -> list[str]:
    single = [method.label for method in methods if len(method.runs) == 1]
    notes = []
    if single:
        notes.append(f"One run only, so no error and no interval: {', '.join(single)}.")
    counts = [_observed(method) for method in methods if len(method.runs) > 1]
    if interval == "bootstrap" and counts and min(counts) < _FEW:
        notes.append(f"With fewer than {_FEW} observations this bootstrap is too narrow; prefer t.")
    return notes


def _observations(methods: Sequence[groups.Method]) -> str:
    """Name what is counted as one observation, see `statistics.by_seed`."""
    if any(1 < _observed(method) < len(method.runs) for method in methods):
        return "seeds, each the mean of its orders, which share data and start"
    alone = [method for method in methods if len({run.seeds[0] for run in method.runs}) == 1]
    if any(len(method.runs) > 1 for method in alone):
        return "the orders of one seed (which do not tell what another seed would do)"
    return "seeds"


def _observed(method: groups.Method) -> int:
    return statistics.by_seed({run.seeds: 0.0 for run in method.runs}).size


def _standing(
    everyone: Sequence[groups.Method], methods: Sequence[groups.Method], point: points.Point
) -> list[str]:
    """Say how far through the stream methods are at equal cost, and which tasks lie beyond."""
    if point.effort is None:
        return []
    plan = dict.fromkeys(task for m in everyone for run in m.runs for task in runs.taught(run))
    reached, beyond = [], []
    for method, whole in zip(methods, everyone, strict=True):
        counts = sorted(len(runs.taught(run)) for run in method.runs)
        if not counts:
            continue
        total = max(len(runs.taught(run)) for run in whole.runs)
        least, most = counts[0], counts[-1]
        reached.append(
            f"{method.label} {least if least == most else f'{least} to {most}'} of {total}"
        )
        untaught = [t for t in plan if all(t not in runs.taught(run) for run in method.runs)]
        beyond += [f"{', '.join(untaught)} ({method.label})"] if untaught else []
    notes = [f"Lessons taught by then: {', '.join(reached)}."] if reached else []
    if beyond:
        notes.append(
            f"Not taught by then, so scored as it stands, and in the averages: {'; '.join(beyond)}."
        )
    return notes


def _torn(everyone: Sequence[groups.Method]) -> list[str]:
    paths = [run.directory for method in everyone for run in method.runs]
    names = ", ".join(path.name for path in paths if records.torn(path))
    note = "A crash tore the last record, which is passed over; a resumed run mends it"
    return [f"{note}: {names}."] if names else []


def _left_out(
    methods: Sequence[groups.Method], listed: Sequence[Listed], point: points.Point
) -> list[str]:
    notes = [
        f"Left out of the means: {one.run.directory.name} ({one.label}): {one.left_out}."
        for one in listed
        if one.left_out
    ]
    if not any(method.runs for method in methods):
        hint = "; --at_equal compares unfinished runs" if point.effort is None else ""
        notes.append(f"No run gets to this point, so there are no means{hint}.")
    return notes


def _without_effort(everyone: Sequence[groups.Method], point: points.Point) -> list[str]:
    if point.effort is None:
        return []
    idle = [
        method.label
        for method in everyone
        if not any(points.spent(run, point.effort).any() for run in method.runs)
    ]
    unit = points.UNITS[point.effort]
    return [f"Spends no {unit}, so it is shown at its own end: {label}." for label in idle]


def _not_evaluated(methods: Sequence[groups.Method]) -> list[str]:
    missing = [
        f"{', '.join(names)} ({run.directory.name})"
        for method in methods
        for run in method.runs
        if (names := matrices.not_evaluated_last(matrices.from_records(run.rows)))
    ]
    note = "Not part of the last evaluation, so in no average at the end"
    return [f"{note}: {'; '.join(missing)}."] if missing else []


def _reflecting(methods: Sequence[groups.Method]) -> list[str]:
    """Say who used a second model, whose work is in no other cost than the time."""
    used = []
    for method in methods:
        lessons = [row for run in method.runs for row in records.of_kind(run.rows, "lesson")]
        calls, read, written = (
            sum(map(efficiency.cost(f"reflection_{what}"), lessons))
            for what in ("calls", "prompt_tokens", "completion_tokens")
        )
        if calls:
            tokens = f"{wording.quantity(read)} tokens read, {wording.quantity(written)} written"
            used.append(f"{method.label} {calls:.0f} times ({tokens})")
    note = "Tokens and FLOP are the learning model's; a reflection model was asked besides"
    return [f"{note}: {', '.join(used)}."] if used else []


def _untouched(methods: Sequence[groups.Method], point: points.Point) -> list[str]:
    """Say whose first evaluation after a lesson lies past the point: there is no result yet."""
    early = [
        run.directory.name
        for method in methods
        for run in method.runs
        if point.effort is not None and not records.of_kind(run.rows, "lesson")
    ]
    note = "Not evaluated after a lesson within that, so shown as the untouched model"
    return [f"{note}: {', '.join(early)}."] if early else []


def _unpaired(methods: Sequence[groups.Method], label: str | None) -> list[str]:
    if label is None:
        return []
    seeds = {run.seeds for method in methods if method.label == label for run in method.runs}
    lonely = [
        f"{run.directory.name} ({method.label})"
        for method in methods
        for run in method.runs
        if run.seeds not in seeds
    ]
    return [f"Without a baseline run of the same seeds: {', '.join(lonely)}."] if lonely else []


def _code(everyone: Sequence[groups.Method]) -> list[str]:
    """Say which code, packages and devices differ between runs: a reason to doubt, no more."""
    compared = [run for method in everyone for run in method.runs]
    mixed = [run.directory.name for run in compared if run.about.get("resumed")]
    notes = []
    if mixed:
        changed = "Begun and resumed with different code, packages or devices"
        notes.append(f"{changed}: {', '.join(mixed)}.")
    for key in ("git", "versions", "devices"):
        said = runs.said(compared, key)
        if len(said) > 1:
            told = "; ".join(map(_brief, said))
            notes.append(f"Runs were made with different {key}: {told}.")
    return notes


def _brief(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in value.items())
    commit = re.fullmatch(r"([0-9a-f]{8})[0-9a-f]+(\+?)", str(value))
    return "".join(commit.groups()) if commit else str(value)


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else float("nan")
