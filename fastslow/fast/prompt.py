"""The textual parameters of a task: as chat messages, as a Markdown file, as JSON.

The Markdown form is made for reading and for writing by hand, and `from_markdown` inverts
`to_markdown` exactly for every text: a text that would not survive as it is (blank edges, headings,
code fences) is put in a code block whose fence is longer than any run of backticks in it.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastslow import files, types

_HEADING = re.compile(r"(##|###) (Instruction|Demonstration|Input|Output|Lesson)(?: \d+)?\s*")
_FENCE = re.compile(r"(`{3,})[a-z]*")


def messages(prompt: types.Prompt, input_text: str) -> tuple[types.Message, ...]:
    """Return the chat that asks `input_text`: system text, one exchange per demo, the question."""
    system = system_text(prompt)
    opening = (types.Message("system", system),) if system else ()
    shown = tuple(
        message
        for demo in prompt.demos
        for message in (types.Message("user", demo.input), types.Message("assistant", demo.output))
    )
    return (*opening, *shown, types.Message("user", input_text))


def system_text(prompt: types.Prompt) -> str:
    """Return the instruction followed by the lessons as a list."""
    lessons = "\n".join(f"- {lesson}" for lesson in prompt.lessons)
    return "\n\n".join(part for part in (prompt.instruction, lessons) if part)


def demo(example: types.Example) -> types.Demo:
    """Return the demonstration of an example: its input with its target as the answer."""
    return types.Demo(example.input, example.target)


def size(prompt: types.Prompt) -> int:
    """Return the number of characters of all texts of the prompt."""
    return len(system_text(prompt)) + sum(len(d.input) + len(d.output) for d in prompt.demos)


def digest(prompt: types.Prompt) -> str:
    """Return 12 hexadecimal digits that identify the content."""
    return hashlib.sha256(json.dumps(to_json(prompt)).encode()).hexdigest()[:12]


def to_json(prompt: types.Prompt) -> types.Json:
    """Return a JSON value that `from_json` inverts exactly."""
    return {
        "instruction": prompt.instruction,
        "demos": [list(demo) for demo in prompt.demos],
        "lessons": list(prompt.lessons),
    }


def from_json(value: types.Json) -> types.Prompt:
    """Invert `to_json`."""
    demos = tuple(types.Demo(*demo) for demo in value["demos"])
    return types.Prompt(value["instruction"], demos, tuple(value["lessons"]))


def to_markdown(prompt: types.Prompt) -> str:
    """Return the file form of a prompt: sections Instruction, Demonstration 1..., Lesson 1..."""
    sections = [f"## Instruction\n\n{_block(prompt.instruction)}\n"]
    for number, demo in enumerate(prompt.demos, 1):
        sections.append(f"## Demonstration {number}\n")
        sections.append(f"### Input\n\n{_block(demo.input)}\n")
        sections.append(f"### Output\n\n{_block(demo.output)}\n")
    for number, lesson in enumerate(prompt.lessons, 1):
        sections.append(f"## Lesson {number}\n\n{_block(lesson)}\n")
    return "\n".join(sections)


def write(path: files.PathLike, prompt: types.Prompt) -> None:
    """Write the file form, atomically, in a folder that is made if need be."""
    files.make_directory(pathlib.Path(path).parent)
    files.write_bytes_atomic(path, to_markdown(prompt).encode("utf-8", "surrogatepass"))


def from_markdown(markdown: str) -> types.Prompt:
    """Invert `to_markdown`; also reads hand-written files of that form.

    Sections may be missing; a file without headings is an instruction. Raises ValueError, naming
    the line, for an unclosed fence, text outside any section, a demonstration without its parts.
    """
    if not any(_HEADING.fullmatch(line) for line in markdown.split("\n")):
        return types.Prompt(instruction=markdown.strip())
    instructions, demos, lessons = [], [], []
    sections = iter(_sections(markdown.split("\n")))
    for section in sections:
        if section.title == "Instruction":
            instructions.append(section.text)
        elif section.title == "Lesson":
            lessons.append(section.text)
        elif section.title == "Demonstration" and not section.text:
            demos.append(types.Demo(*(_part(sections, name) for name in ("Input", "Output"))))
        else:
            raise ValueError(f"line {section.line}: {section.title!r} does not belong here")
    if len(instructions) > 1:
        raise ValueError("a prompt has one Instruction section, found several")
    return types.Prompt("".join(instructions), tuple(demos), tuple(lessons))


class _Section(NamedTuple):
    line: int  # of the heading, from 1
    title: str
    text: str


def _block(text: str) -> str:
    plain = text == text.strip() and not re.search(r"^(#|```)", text, re.MULTILINE)
    if plain and text:
        return text
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _part(sections: Iterator[_Section], title: str) -> str:
    section = next(sections, None)
    if section is None or section.title != title:
        where = f"line {section.line}" if section else "end of file"
        raise ValueError(f"{where}: a Demonstration needs a section {title!r} here")
    return section.text


def _sections(lines: Sequence[str]) -> list[_Section]:
    sections, at = [], 0
    while at < len(lines):
        heading = _HEADING.fullmatch(lines[at])
        if heading:
            text, end = _body(lines, at + 1)
            sections.append(_Section(at + 1, heading.group(2), text))
            at = end
        elif lines[at].strip():
            raise ValueError(f"line {at + 1}: expected a section heading, found {lines[at]!r}")
        else:
            at += 1
    return sections


def _body(lines: Sequence[str], start: int) -> tuple[str, int]:
    """Return the text of a section and the line after it."""
    first = start
    while first < len(lines) and not lines[first].strip():
        first += 1
    opening = _FENCE.fullmatch(lines[first]) if first < len(lines) else None
    if opening:
        if opening.group(1) not in lines[first + 1 :]:
            raise ValueError(f"line {first + 1}: this code block is never closed")
        end = lines.index(opening.group(1), first + 1)
        return "\n".join(lines[first + 1 : end]), end + 1
    end = first
    while end < len(lines) and not _HEADING.fullmatch(lines[end]):
        end += 1
    return "\n".join(lines[first:end]).strip(), end
