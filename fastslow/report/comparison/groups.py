"""Methods: runs that differ in their seeds only, and whether methods can be compared at all."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from fastslow import config, registry, types
from fastslow.report import records, runs, wording

SAME_SECTIONS = ("model", "stream", "evaluation")  # what methods are compared on
_DIGESTS = ("model_digest", "stream_digest")
_UNTOLD = "not known"


class Method(NamedTuple):
    """The runs of one method, in the order of their seeds."""

    label: str
    runs: tuple[runs.Run, ...]


def by_keys(everyone: Sequence[runs.Run], keys: Sequence[str]) -> tuple[Method, ...]:
    """Group runs by the values of dotted configuration keys, in the order of the values.

    The label of a method is the plug-in's name where a key names one, `key=value` otherwise. Raises
    registry.UnknownNameError for a key that no run has, RunsError without any key.
    """
    if not keys:
        raise runs.RunsError("no configuration key to tell methods apart by: try scheduler")
    known = dict.fromkeys(key for run in everyone for key, _ in config.walk(run.config))
    for key in keys:
        if key not in known:
            raise registry.unknown("configuration key", key, known)
    grouped: dict[tuple[types.Json, ...], list[runs.Run]] = {}
    for run in sorted(everyone, key=lambda run: run.seeds):
        grouped.setdefault(tuple(runs.value_of(run.config, key) for key in keys), []).append(run)
    named = [is_plugin(everyone, key) for key in keys]
    return tuple(
        Method(
            ", ".join(
                str(value) if plain else f"{key.split('.')[-1]}={value}"
                for key, value, plain in zip(keys, values, named, strict=True)
            ),
            tuple(grouped[values]),
        )
        for values in sorted(grouped, key=_sortable)
    )


def twins(method: Method) -> dict[tuple[int, int], str]:
    """Return, by the seeds of a run that did what an earlier one of the same seed did, its name.

    Two order seeds may draw the same order. The second run is no observation of its own.
    """
    first: dict[tuple[int, str], runs.Run] = {}
    names = {}
    seeds = collections.Counter(run.seeds[0] for run in method.runs)
    for run in (run for run in method.runs if seeds[run.seeds[0]] > 1):
        done = json.dumps([records.comparable(row) for row in run.rows], sort_keys=True)
        twin = first.setdefault((run.seeds[0], done), run)
        if twin is not run:
            names[run.seeds] = twin.directory.name
    return names


def is_plugin(everyone: Iterable[runs.Run], key: str) -> bool:
    """Return whether a key names a plug-in, whose name says enough without the key."""
    configs = [run.config for run in everyone]
    return all(runs.value_of(c, f"{key}.name") != wording.MISSING for c in configs)


def check(methods: Sequence[Method], keys: Sequence[str]) -> None:
    """Raise RunsError, naming keys and values, unless means and differences would make sense.

    All runs: the same model, stream and evaluation apart from the compared `keys`, the same tasks
    and numbers of test answers. Runs of one method: the same configuration apart from seeds, and no
    seeds twice. Runs with the same seeds: the same data and weights.
    """
    everyone = [run for method in methods for run in method.runs]
    compared = {section for section in SAME_SECTIONS for key in keys if key.startswith(section)}
    problem = "these runs cannot be compared (choose some that agree in this)"
    _refuse(problem, everyone, lambda run: _common_ground(run, keys))
    _refuse(problem, everyone, _evaluated)
    for method in methods:
        problem = f"the runs of {method.label!r} differ in more than their seeds (add it to --by?)"
        _refuse(problem, method.runs, settings)
        _refuse_twins(method)
    digests = [name for name in _DIGESTS if name.partition("_")[0] not in compared]
    for seeds in sorted({run.seeds for run in everyone}):
        paired = [run for run in everyone if run.seeds == seeds]
        problem = f"runs with seed {seeds[0]}, order seed {seeds[1]} had other weights or data"
        _refuse(problem, paired, lambda run: {name: run.about.get(name) for name in digests})


def other_differences(methods: Sequence[Method], keys: Sequence[str]) -> list[str]:
    """List "key: value (method), ..." for settings shared by name that differ between methods."""
    by_method = {method.label: settings(method.runs[0]) for method in methods}
    compared = {*keys, *(f"{key}.name" for key in keys)}
    common = set.intersection(*map(set, by_method.values())) - compared
    return [
        f"{key}: " + ", ".join(f"{values[key]} ({label})" for label, values in by_method.items())
        for key in sorted(common)
        if len({values[key] for values in by_method.values()}) > 1
    ]


def settings(run: runs.Run) -> dict[str, str]:
    """Return the value of every leaf of a run's configuration but the seeds, as text."""
    leaves = config.leaves(run.config)
    return {key: str(runs.plain(value)) for key, value in leaves if key not in runs.SEEDS}


def _common_ground(run: runs.Run, keys: Sequence[str]) -> dict[str, str]:
    """Return the settings that all runs of a comparison must have in common."""
    return {
        name: value
        for name, value in settings(run).items()
        if name.startswith(SAME_SECTIONS)
        and not any(name == key or name.startswith(f"{key}.") for key in keys)
    }


def _evaluated(run: runs.Run) -> dict[str, str]:
    """Return the tasks and the test answers of each; {} before the first evaluation."""
    counts: dict[str, int] = {}
    for row in records.of_kind(run.rows, "evaluation"):
        counts.update(row["counts"])
    tasks = {"tasks evaluated": ", ".join(sorted(counts))} if counts else {}
    return tasks | {f"test answers of {task}": str(count) for task, count in counts.items()}


def _refuse(
    problem: str, group: Sequence[runs.Run], facts: Callable[[runs.Run], Mapping[str, types.Json]]
) -> None:
    """Raise RunsError if runs differ in their facts; a run without any facts yet is passed over."""
    in_order = sorted(group, key=lambda run: run.directory)
    known = {run.directory: mapping for run in in_order if (mapping := facts(run))}
    names = [directory.name for directory in known]
    distinct = len(set(names)) == len(names)
    lines = []
    for key in dict.fromkeys(key for mapping in known.values() for key in mapping):
        values: dict[types.Json, list[str]] = {}
        for directory, mapping in known.items():
            values.setdefault(mapping.get(key, _UNTOLD), []).append(
                directory.name if distinct else str(directory)
            )
        if len(values) > 1:
            listed = "; ".join(f"{v} in {_some(names)}" for v, names in values.items())
            lines.append(f"{key}: {listed}")
    if lines:
        raise runs.RunsError("\n  ".join([f"{problem}:", *lines]))


def _refuse_twins(method: Method) -> None:
    seen: dict[tuple[int, int], runs.Run] = {}
    for run in method.runs:
        if run.seeds in seen:
            raise runs.RunsError(
                f"{seen[run.seeds].directory} and {run.directory} are both {method.label!r} with "
                f"seed {run.seeds[0]} and order seed {run.seeds[1]}: one run would count twice"
            )
        seen[run.seeds] = run


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _sortable(values: tuple[types.Json, ...]) -> list[tuple[bool, float, str]]:
    """Sort numbers by size, before words."""
    return [
        (False, float(value), "") if isinstance(value, int | float) else (True, 0.0, str(value))
        for value in values
    ]
