import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Optional

import pytest

from fastslow import hints


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (1, int),
        (1, float),
        (None, Optional[int]),  # noqa: UP045 -- how users write it
        ("a", str | Sequence[str]),
        (["a"], str | Sequence[str]),
        ([1, 2], tuple[int, ...]),
        ([1, "a"], tuple[int, str]),
        ("a", Literal["a", "b"]),
        ({"a": 1}, Mapping[str, float]),
        ([1], list),
        ({}, dict[str, int]),
        ("not evaluated", "Unknown"),
        ("a/b", pathlib.Path),  # what the factory makes of it is its own affair
        (object(), Any),
    ],
)
def test_values_that_are_what_the_annotation_says(value, hint):
    assert hints.matches(value, hint)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("x", float),
        (True, int),
        (True, float),
        (1.5, int),
        (math.nan, float),
        (math.inf, float),
        (3, str | Sequence[str]),
        ([1], str | Sequence[str]),
        ("ab", tuple[str, ...]),
        ([1, 2], tuple[int, str]),
        ([1, "a", "b"], tuple[int, str]),
        ("c", Literal["a", "b"]),
        ({"a": "b"}, Mapping[str, int]),
        (1, dict[str, int]),
        (None, int),
    ],
)
def test_values_that_are_not(value, hint):
    assert not hints.matches(value, hint)


def test_a_signature_whose_annotations_cannot_be_evaluated_is_taken_as_it_is():
    def factory(size: "Unknown") -> None: ...  # type: ignore[name-defined] # noqa: F821

    assert hints.signature(factory).parameters["size"].annotation == "Unknown"
    assert hints.signature(hints.matches).parameters["hint"].annotation is Any


@pytest.mark.parametrize(
    ("hint", "named"),
    [
        (int, "int"),
        (int | None, "int | None"),
        (list[str], "list[str]"),
        (Literal["a", "b"], "'a' or 'b'"),
    ],
)
def test_annotations_are_named(hint, named):
    assert hints.name(hint) == named
