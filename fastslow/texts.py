"""When two texts count as the same."""

from __future__ import annotations


def normalised(text: str) -> str:
    """Return the text in lower case with single spaces: equal for inputs that ask the same."""
    return " ".join(text.casefold().split())
