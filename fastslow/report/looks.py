"""How a method looks in every figure: colour, marker and line, by its name."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from fastslow.report import figures


class Look(NamedTuple):
    """Told apart by marker and line in grey print, and by colour with any colour vision."""

    colour: str
    marker: str
    line: Any  # as matplotlib takes it


LOOKS = (
    Look(figures.BLUE, "o", "-"),
    Look(figures.VERMILION, "s", (0, (6, 2))),
    Look(figures.GREEN, "D", (0, (1, 1))),
    Look(figures.PURPLE, "^", (0, (5, 1.2, 1, 1.2))),
    Look(figures.ORANGE, "v", (0, (3, 1, 1, 1, 1, 1))),
    Look(figures.SKY, "P", (0, (8, 1.5))),
    Look(figures.BLACK, "X", (0, (2, 1))),
    Look(figures.WINE, "p", (0, (8, 1.5, 1, 1.5))),
)
_MARKERS = "osD^vPXp<>*hd8"
_KEPT = {"interleave": 0, "slow_only": 1, "fast_only": 2, "fast_then_slow": 3}


def assign(labels: Iterable[str]) -> dict[str, Look]:
    """Return the look of every method, whatever the order of the labels.

    The schedulers of the first release keep theirs. Any other name is hashed to a look, and takes
    the next free one if that is taken in this comparison; so a name looks the same in all figures
    of a comparison, and nearly always in others. Beyond eight methods, colours repeat with other
    markers.
    """
    in_order = sorted(set(labels), key=lambda label: (label not in _KEPT, label))
    taken: dict[int, str] = {}
    for label in in_order:
        place = _KEPT.get(label, zlib.crc32(label.encode()) % len(LOOKS))
        while place in taken:
            place = place + 1 if len(taken) >= len(LOOKS) else (place + 1) % len(LOOKS)
        taken[place] = label
    return {label: _look(place) for place, label in taken.items()}


def line(look: Look) -> Mapping[str, Any]:
    """Return the properties of a line of the method."""
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.4}  # markers that meet stay apart
    return {"color": look.colour, "marker": look.marker, "linestyle": look.line, **edge}


def _look(place: int) -> Look:
    if place < len(LOOKS):
        return LOOKS[place]
    again = LOOKS[place % len(LOOKS)]
    marker = _MARKERS[(place + place // len(LOOKS)) % len(_MARKERS)]
    return again._replace(marker=marker)
