"""The results that are kept: runs without their bulk, and the table of every claim.

`results/GRID/CELL/` is a run directory with config.json, records.jsonl (without proposals and other
details of the channels), diagnostics and DONE; `results/CLAIM.json` is what was judged on them,
`CLAIM.md` what a person says of it, `README.md` the table of all with these words.
`experiments.compare --runs='experiments/evidence/results/GRID/*'` reads them too.
"""

from __future__ import annotations

import json
import math
import pathlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from experiments.evidence import claims, effects, grids, judging
from fastslow import config, errors, files, run_directory, types
from fastslow.report import records, runs

ROOT = pathlib.Path(__file__).parent / "results"
_KEPT_OF_STEPS = ("reward", "silent_groups", "groups")

Wanted: TypeAlias = Callable[[runs.Run], bool]


class ResultsError(errors.UserError, ValueError):
    """Runs that cannot be judged together."""


def _any(run: runs.Run) -> bool:
    return True


def keep(run: runs.Run, grid: str, root: pathlib.Path) -> None:
    """Copy a finished run without its bulk."""
    target = root / grid / run.directory.name
    shutil.rmtree(target, ignore_errors=True)
    files.write_json_atomic(target / "config.json", dict(run.about))
    lines = b"".join(files.encode_json(slim(row)) + b"\n" for row in run.rows)
    files.write_bytes_atomic(records.path_of(target), lines)
    for found in sorted((run.directory / "diagnostics").glob("*.json")):
        files.write_bytes_atomic(target / "diagnostics" / found.name, found.read_bytes())
    run_directory.mark_done(target)


def lend(grid: str, root: pathlib.Path, out: pathlib.Path) -> None:
    """Copy the kept runs of a grid to where a sweep finds those of its configuration finished."""
    for kept in sorted((root / grid).glob("*/")):
        target = out / grid / kept.name
        if not target.exists():
            shutil.copytree(kept, target)


def replace(grid: str, made: Iterable[runs.Run], root: pathlib.Path, wanted: Wanted) -> None:
    """Keep the runs `made`, and of those kept before only what is `wanted`."""
    for kept in sorted((root / grid).glob("*/")):
        if not wanted(runs.read(kept)):
            shutil.rmtree(kept)
    for run in made:
        keep(run, grid, root)


def slim(row: records.Row) -> records.Row:
    """Return the row with the rewards of slow steps as the only details of its channels."""
    if row["kind"] != "lesson":
        return row
    return {**row, "absorbed": [_slim_part(part) for part in row["absorbed"]]}


def _slim_part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    steps = part["details"].get("steps")
    kept: types.Json = {}
    if steps is not None:
        kept = {"steps": [{k: step.get(k) for k in _KEPT_OF_STEPS} for step in steps]}
    return {**part, "details": kept}


def find(names: Iterable[str], root: pathlib.Path, wanted: Wanted = _any) -> effects.Found:
    """Return the finished runs below root/GRID that are `wanted`, by "grid/scheduler" and seeds.

    Raises ResultsError where runs of a grid were made under different configurations: what is
    judged would depend on which of them are looked at.
    """
    found: dict[str, dict[effects.Seeds, runs.Run]] = {}
    for grid in names:
        first: runs.Run | None = None
        for directory in sorted((root / grid).glob("*/")):
            if not run_directory.is_done(directory) or not wanted(run := runs.read(directory)):
                continue
            first = first or run
            of_method = found.setdefault(f"{grid}/{runs.value_of(run.config, 'scheduler')}", {})
            peer = of_method.get(run.seeds, next(iter(of_method.values()), first))
            unlike = grids.differences(peer.config, run.config)
            if of_method:
                unlike += config.differences(peer.config["scheduler"], run.config["scheduler"])
            if unlike or run.seeds in of_method:
                raise ResultsError(
                    f"{peer.directory} and {directory} are runs of different configurations "
                    f"({(unlike or ['the same seeds'])[0]}): put one of them elsewhere"
                )
            of_method[run.seeds] = run
    return found


def judge(name: str, found: effects.Found) -> types.Json:
    """Return what CLAIM.json holds; ResultsError where no run tells what the claim is about."""
    try:
        return _judged(name, found)
    except KeyError as missing:
        raise ResultsError(f"no finished run of {missing}") from missing


def _judged(name: str, found: effects.Found) -> types.Json:
    claim = claims.CLAIMS[name]
    judged = [judging.judge(part, found) for part in claim.parts]
    if untold := [part.what for part in judged if not part.estimate.size]:
        raise ResultsError(f"no finished run tells the {untold[0]}")
    everyone = [run for by_seeds in found.values() for run in by_seeds.values()]
    return {
        "claim": claim.statement,
        "verdict": judging.together(judged),
        "parts": [_part(part) for part in judged],
        "commits": _commits(found),
        "versions": runs.said(everyone, "versions"),
        "devices": runs.said(everyone, "devices"),
    }


def _commits(found: effects.Found) -> dict[str, list[str]]:
    """Return by grid and method the commits that the runs were made at; "+" is a changed tree."""
    return {
        method: sorted(
            {
                str(run.about.get("git"))[:8] + "+" * str(run.about.get("git")).endswith("+")
                for run in by_seeds.values()
            }
        )
        for method, by_seeds in sorted(found.items())
    }


def _part(judged: judging.Judged) -> types.Json:
    numbers = judged.estimate._asdict()
    values = {f"seed {s}, order {o}": _number(v) for (s, o), v in judged.values.items()}
    return {
        "what": judged.what,
        "relation": judged.relation,
        "bound": round(judged.bound, 6),
        **{key: _number(value) for key, value in numbers.items()},
        "values": values,
        "verdict": judged.verdict,
    }


def _number(value: float) -> types.Json:
    """Return a rounded number; what is not finite as text, as JSON has no such numbers."""
    if isinstance(value, int):
        return value
    return round(value, 6) if math.isfinite(value) else str(value)


def made(name: str, root: pathlib.Path) -> dict[str, types.Json]:
    """Return by which command and when a kept result was made; {} if there is none."""
    path = root / f"{name}.json"
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {key: kept[key] for key in ("command", "date") if key in kept}


def write(
    name: str, judged: types.Json, made: Mapping[str, types.Json], root: pathlib.Path
) -> None:
    """Write CLAIM.json, and the table of all claims again."""
    files.write_json_atomic(root / f"{name}.json", {**judged, **made})
    files.write_text_atomic(root / "README.md", table(root))


def table(root: pathlib.Path) -> str:
    """Return the Markdown table of every claim that was judged, failures first, and the words."""
    kept = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(root.glob("*.json"))}
    order = {"fails": 0, "open": 1, "holds": 2}
    lines = [
        "# What came out",
        "",
        "Written by `python -m experiments.evidence`. A part holds, or fails, when the whole 95%",
        "interval (Student's t over seeds) is on that side of the bound, and is open otherwise.",
        "A run that never gets there (inf) has no interval: it decides, against an upper bound.",
        "Ratios of drift and of compute are averaged by their logarithms.",
        "Seeds differ in data, sampling and training; the order of lessons is the same for all, so",
        "intervals do not tell what another order would do.",
        "Prompts are searched task by task (`fast.scope=task`): answering takes the task's name;",
        "the paper carries one population across tasks (`--config.fast.scope=shared`).",
        "",
        "| Claim | Verdict | Measured | Mean [95% interval] | Bound | Runs |",
        "|---|---|---|---|---|---|",
    ]
    ranked = sorted(kept.items(), key=lambda item: order[item[1]["verdict"]])
    for name, judged in ranked:
        for number, part in enumerate(judged["parts"]):
            head = (
                f"{judged['claim']} (`{name}`) | **{judged['verdict']}**" if not number else " | "
            )
            lines.append(f"| {head} | {part['what']}: {part['verdict']} | {_interval(part)} |")
    for name, _ in ranked:
        if (said := root / f"{name}.md").exists():
            lines += ["", f"## {name}", "", said.read_text("utf-8").strip()]
    return "\n".join(lines) + "\n"


def _interval(part: Mapping[str, Any]) -> str:
    def text(value: Any) -> str:
        return f"{value:.3g}" if isinstance(value, int | float) else str(value)

    measured = f"{text(part['mean'])} [{text(part['low'])}, {text(part['high'])}]"
    return f"{measured} | {part['relation']} {part['bound']:.3g} | {part['size']}"
