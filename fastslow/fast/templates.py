"""Templates in Markdown files: those of the package `prompts`, or the user's own."""

from __future__ import annotations

import hashlib
import importlib.resources
import pathlib
import string
from collections.abc import Iterable

from fastslow import registry


def names() -> tuple[str, ...]:
    """Return the names of all files of the package."""
    files = importlib.resources.files("prompts").iterdir()
    return tuple(sorted(f.name.removesuffix(".md") for f in files if f.name.endswith(".md")))


def text(name: str) -> str:
    """Return the text called `name`; a name that ends in ".md" is the path of a user's file.

    Raises UnknownNameError for a name that the package does not have, OSError for a missing file.
    """
    if name.endswith(".md"):
        return pathlib.Path(name).read_bytes().decode()
    if name not in names():
        raise registry.unknown("prompt file", name, names())
    return importlib.resources.files("prompts").joinpath(f"{name}.md").read_bytes().decode()


def fill(name: str, **values: object) -> str:
    """Return template `name` with each `$key` replaced; raises ValueError for a key not given."""
    known = ", ".join(f"${key}" for key in sorted(values))
    try:
        return string.Template(text(name)).substitute(values).rstrip("\n")
    except KeyError as error:
        raise ValueError(f"template {name!r} uses ${error.args[0]}; known: {known}") from None
    except ValueError as error:
        raise ValueError(
            f"template {name!r}: {error}; known: {known}, and $$ is a dollar sign"
        ) from None


def check(name: str, *keys: str) -> None:
    """Raise as `fill` does with these keys, before it is needed."""
    fill(name, **dict.fromkeys(keys, ""))


def hashes(own: Iterable[str] = ()) -> dict[str, str]:
    """Return the SHA-256 of every file of the package by name, and of the user's `own` by path.

    For the run's records. Raises OSError for a missing file.
    """
    named = (*names(), *own)
    return {name: hashlib.sha256(text(name).encode()).hexdigest() for name in named}
