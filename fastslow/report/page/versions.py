"""How prompts evolved: the best prompt of each task wherever it changed, and what changed in it."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from fastslow.fast import prompt as prompts
from fastslow.report import overview, prompt_files, records, wording

Mark: TypeAlias = Literal["added", "removed", "kept"]


class Change(NamedTuple):
    """A line, demonstration or lesson of a prompt beside the version before."""

    mark: Mark
    parts: tuple[str, ...]  # one text; of a demonstration, input and output


class Part(NamedTuple):
    """A section of a prompt with its changes."""

    title: str
    changes: tuple[Change, ...]


class Version(NamedTuple):
    """A best prompt that differs from the one before it, and when it was first seen."""

    lessons: int  # lessons taught before
    reward: str  # mean on the examples it was measured on last
    score: str  # of the task's test examples then; a dash if it was not evaluated
    difference: str  # from the version before, in words
    parts: tuple[Part, ...]
    text: str  # its file
    others: tuple[tuple[str, str], ...]  # (reward, text) of the rest of the population


def evolution(
    written: Iterable[prompt_files.PromptFile], rows: Iterable[records.Row]
) -> dict[str, list[Version]]:
    """Return per task the best prompts over time, each where it first differs from the last.

    Tasks are in the order of the records.
    """
    rows = list(rows)
    evaluations = {row["event"]: row["scores"] for row in records.of_kind(rows, "evaluation")}
    lessons = dict(zip(evaluations, overview.lessons_before_evaluations(rows), strict=True))
    versions: dict[str, list[Version]] = {
        task: [] for scores in evaluations.values() for task in scores
    }
    for (task, event), group in itertools.groupby(written, key=lambda p: (p.task, p.event)):
        best, *others = group
        listed = versions.setdefault(task, [])
        if event not in lessons or (listed and listed[-1].text == best.text):
            continue
        parts = compare(listed[-1].text, best.text) if listed else whole(best.text)
        version = Version(
            lessons[event],
            wording.score(best.score),
            wording.score(evaluations[event].get(task)),
            summary(parts) if listed else "the first",
            parts,
            best.text,
            tuple((wording.score(other.score), other.text) for other in others),
        )
        listed.append(version)
    return {task: listed for task, listed in versions.items() if listed}


def compare(before: str, after: str) -> tuple[Part, ...]:
    """Return what changed from one prompt file to the next, section by section.

    Instructions are compared by lines, demonstrations and lessons whole. Files that are no prompts
    are compared by lines as they stand.
    """
    old, new = _sections(before), _sections(after)
    titles = dict.fromkeys((*old, *new))
    parts = (Part(title, _changes(old.get(title, []), new.get(title, []))) for title in titles)
    return tuple(part for part in parts if part.changes)


def whole(text: str) -> tuple[Part, ...]:
    """Return a prompt file with nothing to compare it with: all of it is kept."""
    return tuple(
        Part(title, tuple(Change("kept", unit) for unit in units))
        for title, units in _sections(text).items()
        if units
    )


def summary(parts: Iterable[Part]) -> str:
    """Say how much was added and removed: "demonstrations +4, instruction +1 −1"."""
    changes = []
    for part in parts:
        counts = {m: sum(c.mark == m for c in part.changes) for m in ("added", "removed")}
        signs = (("added", "+"), ("removed", "\N{MINUS SIGN}"))
        moved = " ".join(f"{sign}{counts[mark]}" for mark, sign in signs if counts[mark])
        changes += [f"{part.title.lower()} {moved}"] if moved else []
    return ", ".join(changes) or "blank space only"


def _sections(text: str) -> dict[str, list[tuple[str, ...]]]:
    try:
        prompt = prompts.from_markdown(text)
    except ValueError:  # a file that a person changed, or another channel's
        return {"Text": [(line,) for line in text.split("\n")]}
    return {
        "Instruction": [(line,) for line in prompt.instruction.split("\n") if prompt.instruction],
        "Demonstrations": [tuple(demo) for demo in prompt.demos],
        "Lessons": [(lesson,) for lesson in prompt.lessons],
    }


def _changes(
    before: Sequence[tuple[str, ...]], after: Sequence[tuple[str, ...]]
) -> tuple[Change, ...]:
    changes: list[Change] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, start, stop, new_start, new_stop in matcher.get_opcodes():
        if kind == "equal":
            changes += [Change("kept", unit) for unit in after[new_start:new_stop]]
        else:
            changes += [Change("removed", unit) for unit in before[start:stop]]
            changes += [Change("added", unit) for unit in after[new_start:new_stop]]
    return tuple(changes)
