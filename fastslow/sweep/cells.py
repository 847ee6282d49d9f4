"""The cells of a sweep: where each one's run directory is, what state it is in, what it took.

Beside what every run leaves, the directory of a cell holds `cell.json` (the resolved configuration,
and how it differs from the other cells), `output.log` (all that its processes printed),
`attempts.jsonl` (one row per process) and, while it is broken, `error.txt`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import pathlib
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from fastslow import config, files, run_directory
from fastslow.report import records

State: TypeAlias = Literal["new", "unfinished", "failed", "elsewhere", "finished"]
_LONGEST_LABEL = 120  # file systems allow 255 bytes


class Cell(NamedTuple):
    """One run of a sweep."""

    directory: pathlib.Path
    point: Mapping[str, Any]  # the values of the grid's axes
    settings: config.Run

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.directory.name


class Attempt(NamedTuple):
    """What came of one process that worked on a cell."""

    outcome: Literal["finished", "failed", "elsewhere", "lost"]
    seconds: float
    peak_bytes: int | None = None  # most memory seen in use; None if nobody looked
    error: str = ""  # one line
    details: str = ""  # the end of what it printed


class Position(NamedTuple):
    """How far a run is."""

    done: int
    total: int | None  # None until the run has begun


def plan(
    out: pathlib.Path,
    points: Iterable[Mapping[str, Any]],
    resolve: Callable[[Mapping[str, Any]], config.Run],
) -> list[Cell]:
    """Return a cell per configuration; points that resolve to the same one share it.

    A directory of an earlier grid with the same configuration is found again by its hash, also if
    that grid had other axes.
    """
    existing = {path.name.rpartition("-")[2]: path for path in sorted(out.glob("*"))}
    planned: dict[str, Cell] = {}
    for point in points:
        settings = resolve(point)
        digest = config.fingerprint(settings)
        directory = existing.get(digest, out / "-".join(filter(None, [label(point), digest])))
        planned.setdefault(digest, Cell(directory, point, settings))
    return list(planned.values())


def label(point: Mapping[str, Any]) -> str:
    """Return a short name for a file: "slow_only-seed0-learning_rate0.0001"."""
    words = [
        value if key in ("scheduler", "model", "stream") else f"{key.rpartition('.')[2]}{value}"
        for key, value in point.items()
    ]
    return re.sub(r"[^\w.+-]+", "_", "-".join(words))[:_LONGEST_LABEL].strip("_.-")


def state(cell: Cell) -> State:
    """Return what the files of the cell say."""
    if run_directory.is_done(cell.directory):
        return "finished"
    if run_directory.in_use(cell.directory):
        return "elsewhere"
    if (cell.directory / "error.txt").exists():
        return "failed"
    return "unfinished" if run_directory.is_begun(cell.directory) else "new"


def position(directory: pathlib.Path) -> Position:
    """Return how many events of the run are recorded, and how many there are.

    Only to show: what is damaged counts as not there, and whoever goes on with the run says so.
    """
    try:
        total = run_directory.read_config(directory).get("events")
    except run_directory.RunDirectoryError:
        return Position(0, None)
    path = records.path_of(directory)
    whole_lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for line in reversed(whole_lines):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            # rows about the run as a whole have no event
            return Position(json.loads(line)["event"] + 1, total)
    return Position(0, total)


def prepare(cell: Cell) -> None:
    """Write cell.json, from which the process that runs the cell takes its configuration."""
    point = config.plain(dict(cell.point))
    content = {"schema": 1, "point": point, "config": config.to_json(cell.settings)}
    files.write_json_atomic(cell.directory / "cell.json", content)


def read_settings(directory: pathlib.Path) -> config.Run:
    """Return the configuration in cell.json; raises RunDirectoryError."""
    path = directory / "cell.json"
    try:
        mapping = json.loads(path.read_text("utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise run_directory.RunDirectoryError(
            f"{path} is not a cell of a sweep: {error}"
        ) from error
    return config.from_mapping(config.Run, mapping)


def record(cell: Cell, attempt: Attempt) -> None:
    """Add a row to attempts.jsonl; write error.txt if the attempt failed, remove it if not."""
    path = cell.directory / "attempts.jsonl"
    row = attempt._asdict()
    del row["details"]
    with files.naming(path), open(path, "ab") as file:
        torn = path.read_bytes()[-1:] not in (b"", b"\n")  # by a full disk: begin another line
        file.write(b"\n" * torn + files.encode_json(row) + b"\n")
    error = cell.directory / "error.txt"
    if attempt.outcome == "failed":
        files.write_text_atomic(error, f"{attempt.error}\n\n{attempt.details}")
    elif attempt.outcome == "finished":
        error.unlink(missing_ok=True)


def seconds(cell: Cell) -> float | None:
    """Return the time that all recorded attempts took together, None without any."""
    rows = _attempts(cell)
    return sum(row["seconds"] for row in rows) if rows else None


def peak_bytes(cells: Iterable[Cell]) -> int:
    """Return the most memory that any recorded attempt was seen to use; 0 if nobody looked."""
    rows = itertools.chain.from_iterable(map(_attempts, cells))
    return max((row["peak_bytes"] or 0 for row in rows), default=0)


def _attempts(cell: Cell) -> list[dict[str, Any]]:
    path = cell.directory / "attempts.jsonl"
    if not path.exists():
        return []
    rows = []
    for line in path.read_text("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError):  # torn by a full disk: it tells times, no results
            rows.append(json.loads(line))
    return rows


def error(cell: Cell) -> str:
    """Return the first line of error.txt, or "" if there is none."""
    path = cell.directory / "error.txt"
    return path.read_text("utf-8").partition("\n")[0] if path.exists() else ""


def mean_seconds(cells: Sequence[Cell]) -> float | None:
    """Return how long a finished cell took on average, None if none is finished."""
    finished = [seconds(cell) for cell in cells if state(cell) == "finished"]
    known = [found for found in finished if found is not None]
    return statistics.fmean(known) if known else None
