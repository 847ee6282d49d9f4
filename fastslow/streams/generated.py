"""Tasks whose items are drawn from a rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from fastslow import types
from fastslow.streams import errors, splits

Draw: TypeAlias = Callable[[np.random.Generator], types.Example]  # its id is given later

_TRIES = 50  # draws per item wanted, before the rule is said to have too few


def distinct(name: str, draw: Draw, count: int, seed: int, taken: set[str]) -> splits.Examples:
    """Draw `count` examples with ids NAME-0, NAME-1, ... whose inputs are new.

    New: not in `taken`, to which they are added, so that tasks can share it. Raises StreamError if
    the rule does not give that many.
    """
    rng = np.random.default_rng(seed)
    drawn: list[types.Example] = []
    for _ in range(_TRIES * count):
        if len(drawn) == count:
            break
        example = draw(rng)
        if example.input not in taken:
            taken.add(example.input)
            drawn.append(example._replace(id=f"{name}-{len(drawn)}"))
    if len(drawn) < count:
        raise errors.StreamError(
            f"{name}: only {len(drawn)} of {count} different items found; make them longer"
        )
    return tuple(drawn)
