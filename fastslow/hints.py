"""Values against type annotations: what the configuration and the plug-ins' options are held to."""

from __future__ import annotations

import inspect
import math
import types as builtin_types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_SEQUENCES: Mapping[Any, Any] = {tuple: tuple | list, list: tuple | list, Sequence: Sequence}


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature with its annotations evaluated, or as they are where one cannot be."""
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:  # names of a user's module that exist for the type checker only
        return inspect.signature(function)


def matches(value: Any, hint: Any) -> bool:
    """Whether a value is what an annotation of built-in types says; others are not looked at.

    Ints are floats, lists are tuples, NaN and infinity are no numbers, and bools are no ints.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, builtin_types.UnionType):
        return any(matches(value, arm) for arm in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin in _SEQUENCES and arguments:
        if not isinstance(value, _SEQUENCES[origin]):
            return False
        if origin is tuple and arguments[-1] is not Ellipsis:
            return len(value) == len(arguments) and all(map(matches, value, arguments))
        return all(matches(item, arguments[0]) for item in value)
    if origin is Mapping and arguments:
        return isinstance(value, Mapping) and all(
            matches(item, arguments[1]) for item in value.values()
        )
    if hint is float:
        return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    kind = origin or hint
    return getattr(kind, "__module__", "") != "builtins" or isinstance(value, kind)


def name(hint: Any) -> str:
    """Return an annotation in words for a message."""
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(hint)))
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
