"""Tasks from folders of {train,validation,test}.jsonl, one task or one subfolder per task."""

from __future__ import annotations

import collections
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastslow import files, registry, types
from fastslow.evaluation import scorers
from fastslow.fast import prompt as prompts
from fastslow.streams import errors, schedule, splits

_SPLITS = splits.Splits._fields
_PROMPT = "prompt.md"
_REQUIRED = ("input", "target")
_FIELDS = ("id", *_REQUIRED, "choices", "metadata")


class Row(NamedTuple):
    """An example and where it stands, for messages."""

    place: str  # "file, line n"
    example: types.Example


@schedule.scheduled
def stream(path: str) -> list[types.Task]:
    """Questions of your own, from a folder of {train,validation,test}.jsonl.

    `path` holds these files (one task, called like the folder) or one subfolder with them per task,
    in alphabetical order. A line is a JSON object with `input` and `target` (text) and optionally
    `id` (text; the line number if absent), `choices` (list of texts, one of them the target) and
    `metadata` (texts by name; "accepted" holds further right answers, one per line). An optional
    prompt.md next to them is the seed prompt. Raises StreamError that names file, line and field.
    """
    folder = pathlib.Path(path)
    inside = sorted(filter(_is_task, _subfolders(folder)))
    if inside and _is_task(folder):
        raise errors.StreamError(
            f"{folder} is a task and holds others ({', '.join(p.name for p in inside)}): "
            "move its own files to a subfolder of their own"
        )
    folders = [folder] if _is_task(folder) else inside
    if not folders:
        raise errors.StreamError(
            f"{folder}: no train.jsonl in it or in its subfolders ({_contents(folder)})"
        )
    if inside and files.exists(folder / _PROMPT, errors.StreamError):
        raise errors.StreamError(
            f"{folder / _PROMPT} is beside no task: copy it to those of the subfolders it is for"
        )
    return [read_task(task_folder) for task_folder in folders]


def read_task(folder: pathlib.Path) -> types.Task:
    """Read one task; raise StreamError for rows that are malformed, doubled, or in two splits."""
    rows = {name: list(_rows(folder / f"{name}.jsonl", name)) for name in _SPLITS}
    _check_ids(rows)
    _check_leaks(rows)
    parts = splits.Splits(*(tuple(row.example for row in rows[name]) for name in _SPLITS))
    return types.Task(
        folder.resolve().name,
        *parts,
        scorer=scorers.exact_match,
        seed_prompt=_seed_prompt(folder / _PROMPT),
    )


def _rows(path: pathlib.Path, split: str) -> Iterator[Row]:
    """Yield the examples of a file; raise StreamError for the first that is malformed."""
    empty = True
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if line.strip():
            place = f"{path}, line {number}"
            yield Row(place, _example(_parse(line, place), f"{split}-{number}", place))
            empty = False
    if empty:
        raise errors.StreamError(f"{path}: no examples")


def _parse(line: str, place: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:  # ValueError: also for a number of many digits
        raise errors.StreamError(f"{place}: not JSON that can be read ({error})") from error
    if not isinstance(row, dict):
        raise errors.StreamError(f"{place}: expected an object, got {_kind(row)}")
    return row


def _example(row: Mapping[str, Any], default_id: str, place: str) -> types.Example:
    """Turn a parsed row into an example; raise StreamError that names the field at fault."""
    for field in row:
        if field not in _FIELDS:
            raise errors.StreamError(f"{place}: {registry.unknown('field', field, _FIELDS)}")
    for field in _REQUIRED:
        if field not in row:
            raise errors.StreamError(f"{place}: field {field!r} is missing")
    texts = {"id": default_id} | {f: row[f] for f in ("id", *_REQUIRED) if f in row}
    choices, metadata = row.get("choices", []), row.get("metadata", {})
    for field, text in texts.items():
        _check(isinstance(text, str), place, field, "a text", text)
        _check(bool(text.strip()), place, field, "a text that is not blank", text)
    _check(_is_texts(choices), place, "choices", "a list of texts", choices)
    named = isinstance(metadata, dict) and _is_texts(list(metadata.values()))
    _check(named, place, "metadata", "an object of texts", metadata)
    for field, found in (*texts.items(), ("choices", choices), ("metadata", metadata)):
        _check(_is_unicode(found), place, field, "valid Unicode (a lone surrogate is not)", found)
    if choices and texts["target"] not in choices:
        raise errors.StreamError(
            f"{place}: field 'target' {texts['target']!r} is not among the choices {choices}"
        )
    return types.Example(**texts, choices=tuple(choices), metadata=metadata)


def _check(valid: bool, place: str, field: str, expected: str, got: Any) -> None:
    if not valid:
        raise errors.StreamError(f"{place}: field {field!r} must be {expected}, got {_kind(got)}")


def _check_ids(rows: Mapping[str, list[Row]]) -> None:
    """Raise StreamError if two rows of a task, in one split or in two, have the same id."""
    seen: dict[str, str] = {}
    for row in (row for part in rows.values() for row in part):
        if row.example.id in seen:
            raise errors.StreamError(
                f"{row.place}: field 'id' {row.example.id!r} is taken by {seen[row.example.id]}"
            )
        seen[row.example.id] = row.place


def _check_leaks(rows: Mapping[str, list[Row]]) -> None:
    """Raise StreamError if an input is in two splits: the test would measure memory."""
    places: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for split, part in rows.items():
        for row in part:
            places[splits.normalised_input(row.example)].setdefault(split, row.place)
    for place_of in places.values():
        if len(place_of) > 1:
            first, second, *_ = place_of.values()
            raise errors.StreamError(f"{second}: field 'input' is the same as in {first}")


def _seed_prompt(path: pathlib.Path) -> types.Prompt:
    if not files.exists(path, errors.StreamError):
        return types.Prompt()
    try:
        return prompts.from_markdown(_read(path))
    except ValueError as error:
        raise errors.StreamError(f"{path}: {error}") from error


def _read(path: pathlib.Path) -> str:
    if not files.exists(path, errors.StreamError):
        raise errors.StreamError(f"{path}: no such file ({_contents(path.parent)})")
    try:
        with files.reading(path, errors.StreamError):
            return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.StreamError(f"{path}: not UTF-8 ({error})") from error


def _is_task(folder: pathlib.Path) -> bool:
    return any(files.exists(folder / f"{name}.jsonl", errors.StreamError) for name in _SPLITS)


def _entries(folder: pathlib.Path) -> list[pathlib.Path]:
    if not files.exists(folder, errors.StreamError):
        raise errors.StreamError(f"{folder}: no such folder")
    if not folder.is_dir():
        raise errors.StreamError(f"{folder}: a file, not the folder it is in")
    with files.reading(folder, errors.StreamError):
        return list(folder.iterdir())


def _contents(folder: pathlib.Path) -> str:
    return f"found: {', '.join(sorted(p.name for p in _entries(folder))) or 'nothing'}"


def _subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
    entries = _entries(folder)
    with files.reading(folder, errors.StreamError):
        return [entry for entry in entries if entry.is_dir()]


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_unicode(value: types.Json) -> bool:
    """Say whether a JSON value can be written as UTF-8; JSON can escape half of a character."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: types.Json) -> str:
    """Name a JSON value for a message, as JSON has it, shortened."""
    text = files.encode_json(value, allow_nan=True).decode()
    return text if len(text) <= 60 else text[:60] + "..."
