"""Which task each lesson of a stream is about: plans, and decorators that reorder or repeat them.

A plan is a tuple of task names, one per lesson. Decorators are functions from plan to plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

Plan: TypeAlias = tuple[str, ...]


def shuffled(names: Sequence[str], order_seed: int) -> tuple[str, ...]:
    """Return the names in an order drawn from `order_seed`."""
    return tuple(names[i] for i in np.random.default_rng(order_seed).permutation(len(names)))


def blocked(names: Sequence[str], lessons: int) -> Plan:
    """Teach each task for `lessons` lessons before the next one: A A B B."""
    return tuple(name for name in names for _ in range(lessons))


def round_robin(names: Sequence[str], lessons: int) -> Plan:
    """Teach one lesson of each task in turn, `lessons` times: A B A B."""
    return tuple(names) * lessons


def repeated(plan: Plan, times: int) -> Plan:
    """Go through the whole plan `times` times: A A B B A A B B."""
    return plan * times
