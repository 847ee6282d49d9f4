"""The grid of a sweep, as text: `scheduler=slow_only,interleave;seed=0:5;config.slow.rank=4,8`.

    grid   = axis {";" axis}
    axis   = key "=" values
    values = value {"," value}
    value  = start ":" stop [":" step]    integers, without `stop`, as in Python
           | a Python literal             3, 1e-4, True, None, 'text', ('a', 'b'), ['a', 'b']
           | any other text               a string: slow_only, my.module:factory

A bracketed tuple or list is one value of the axis. Commas, semicolons and equals signs inside
brackets or quotes separate nothing: `stream='reasoning_gym:A,B',jsonl`. The cells are the product
of all axes, the last one varying fastest.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastslow import config

_RANGE = re.compile(r"(-?\d+):(-?\d+)(?::(-?\d+))?")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class GridError(config.ConfigError):
    """The text of a grid cannot be read; the message quotes the part."""


class Axis(NamedTuple):
    """A setting and the values it takes."""

    key: str
    values: tuple[Any, ...]


def parse(text: str) -> tuple[Axis, ...]:
    """Return the axes of a grid; an empty text has none. Raises GridError."""
    axes = [_axis(part) for part in _split(text, ";") if part]
    for number, axis in enumerate(axes):
        if axis.key in (earlier.key for earlier in axes[:number]):
            raise GridError(f"grid: {axis.key!r} is given twice")
    return tuple(axes)


def points(axes: tuple[Axis, ...]) -> list[Mapping[str, Any]]:
    """Return every combination of values, by key; one empty point if there are no axes."""
    keys = [axis.key for axis in axes]
    product = itertools.product(*(axis.values for axis in axes))
    return [dict(zip(keys, values, strict=True)) for values in product]


def _axis(part: str) -> Axis:
    key, equals, values = part.partition("=")
    if not equals or not key.strip():
        raise GridError(f"grid: {part!r} is not key=value,value")
    read = [value for text in _split(values, ",") for value in _values(text, part)]
    return Axis(key.strip(), tuple(read))


def _values(text: str, part: str) -> Iterator[Any]:
    if not text:
        raise GridError(f"grid: a value is missing in {part!r}")
    found = _RANGE.fullmatch(text)
    if found is None:
        yield _value(text)
        return
    start, stop, step = (int(number or 1) for number in found.groups())
    if step == 0 or not range(start, stop, step):
        raise GridError(f"grid: the range {text!r} in {part!r} is empty")
    yield from range(start, stop, step)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError) as error:
        if text[0] in "([{'\"":
            raise GridError(f"grid: cannot read {text!r} as a Python value") from error
        return text


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside quotes and brackets; strip the parts."""
    parts, open_brackets, quote = [""], "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in _CLOSING:
            open_brackets += _CLOSING[character]
        elif open_brackets and character == open_brackets[-1]:
            open_brackets = open_brackets[:-1]
        elif character == separator and not open_brackets:
            parts.append("")
            continue
        parts[-1] += character
    if quote or open_brackets:
        raise GridError(f"grid: {quote or open_brackets[-1]} is missing at the end of {text!r}")
    return [part.strip() for part in parts]
