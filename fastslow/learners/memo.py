"""Results that need not be computed again: those of an unchanged model on unchanged questions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

from fastslow import types

T = TypeVar("T")
_STATES = 4  # weights remembered: the base model's, before a lesson, and after two ways to teach it


class Entry(NamedTuple):
    """A result with what it depends on beside the weights."""

    inputs: Hashable
    result: tuple[Any, types.Cost]


class Memo:
    """The newest result per key and weights, returned again for the same inputs.

    Weights count as the same only if they are the same object: states are frozen, and a channel
    that changes nothing returns the state it was given. A hit reports the tokens and operations of
    the original, so that a resumed run (with an empty memo) has the same totals, but no seconds.
    Only the last `_STATES` weights are kept, since each holds the moments of its optimiser.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Hashable, int], Entry] = {}  # by key and weights
        self._states: list[types.PyTree] = []  # weights in use, the last asked for at the end

    def __call__(
        self,
        key: Hashable,
        weights: types.PyTree,
        inputs: Hashable,
        compute: Callable[[], tuple[T, types.Cost]],
    ) -> tuple[T, types.Cost]:
        """Return what `compute` returns for these weights and inputs."""
        place = (key, self._keep(weights))
        known = self._known.get(place)
        if known is not None and known.inputs == inputs:
            result, cost = known.result
            return result, cost._replace(seconds=0.0)
        computed = compute()
        self._known[place] = Entry(inputs, computed)
        return computed

    def _keep(self, weights: types.PyTree) -> int:
        """Remember that the weights are in use, and return the number that names them so long."""
        self._states = [one for one in self._states if one is not weights] + [weights]
        if len(self._states) > _STATES:
            gone = id(self._states.pop(0))
            self._known = {place: entry for place, entry in self._known.items() if place[1] != gone}
        return id(weights)
