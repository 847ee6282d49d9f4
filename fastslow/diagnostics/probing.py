"""Ask a run directory questions, and keep the answers in it.

    RUN/diagnostics/NAME.json            at the newest checkpoint
    RUN/diagnostics/EVENT/NAME.json      at the checkpoint that was asked for

A file holds `schema`, `diagnostic`, `event` (how many events were completed), `seed` of the run,
`options`, `reads` (which items entered), `notes`, `cost`, `versions`, `git` and `values`. It is
strict JSON: what is not a number is null.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastslow import config, diagnostics, files, reopening, run_directory, types
from fastslow.diagnostics import contracts
from fastslow.diagnostics import subject as subjects
from fastslow.report import records, table

SCHEMA = 1


class Answer(NamedTuple):
    """The content of a diagnostic's file, and how to show it; or why there is none."""

    name: str
    content: Mapping[str, types.Json]
    tables: Sequence[table.Table] = ()
    reused: bool = False  # it was there already
    problem: str = ""  # the run does not have what the diagnostic looks at


def build(name: str, options: Mapping[str, Any]) -> contracts.Diagnostic:
    """Return a diagnostic with its options; raises UnknownNameError and ConfigError."""
    made = diagnostics.DIAGNOSTICS.get(name)
    if not isinstance(made, type):
        raise config.ConfigError(f"diagnostic {name!r} is not a dataclass of its options")
    return config.from_mapping(made, options, f"{name}.")


def probe(
    directory: pathlib.Path,
    names: Sequence[str],
    *,
    event: int | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    force: bool = False,
) -> Iterator[Answer]:
    """Yield the answer of every diagnostic as soon as it is there, and in its file.

    `options` are by diagnostic. An answer in the directory is used again where it is of the same
    event and options, unless `force`. All that can be wrong with names, options and the event is
    raised at the first step: UnknownNameError, ConfigError, RunDirectoryError, CheckpointError.
    """
    given = options or {}
    for name in given:
        if name not in names:
            raise config.ConfigError(
                f"options are given for {name!r}, which is not asked for: {', '.join(names)}"
            )
    built = {name: build(name, given.get(name, {})) for name in names}
    reopening.settings(directory)
    position = reopening.position(directory, event)
    subject = subjects.Subject(directory, position)
    for name, diagnostic in built.items():
        path = path_of(directory, name, event)
        known = None if force else _known(path, position, diagnostic)
        try:
            content = known or _measure(name, diagnostic, subject)
        except contracts.NotApplicableError as error:
            yield Answer(name, {}, problem=str(error))
            continue
        if known is None:
            files.write_json_atomic(path, content)
        yield Answer(name, content, diagnostic.tables(content["values"]), known is not None)


def path_of(directory: pathlib.Path, name: str, event: int | None) -> pathlib.Path:
    """Return the file of a diagnostic; `event` as it was asked for, None for the newest."""
    folder = directory / "diagnostics" / ("" if event is None else str(event))
    return folder / f"{name.replace(':', '.')}.json"


def _measure(
    name: str, diagnostic: contracts.Diagnostic, subject: subjects.Subject
) -> dict[str, types.Json]:
    started = time.perf_counter()
    finding = diagnostic.measure(subject)
    cost = finding.cost._replace(seconds=time.perf_counter() - started)
    content: dict[str, types.Json] = records.plain(
        {
            "schema": SCHEMA,
            "diagnostic": name,
            "event": subject.position,
            "seed": subject.settings.seed,
            "options": _options(diagnostic),
            "reads": diagnostic.reads,
            "notes": finding.notes,
            "cost": cost,
            "versions": run_directory.versions(),
            "git": run_directory.git_commit(),
            "values": finding.values,
        }
    )
    return content


def _known(
    path: pathlib.Path, position: int, diagnostic: contracts.Diagnostic
) -> dict[str, types.Json] | None:
    """Return what is there of the same event and options, None otherwise."""
    try:
        content: dict[str, types.Json] = json.loads(path.read_text("utf-8"))
        asked = (SCHEMA, position, _options(diagnostic))
        found = (content["schema"], content["event"], content["options"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if found == asked else None


def _options(diagnostic: contracts.Diagnostic) -> types.Json:
    return records.plain(dataclasses.asdict(diagnostic))  # type: ignore[call-overload]
