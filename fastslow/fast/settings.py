"""The settings of the fast channel, checked once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

_DEFAULT_PROPOSERS: Mapping[str, Mapping[str, Any]] = {
    "demonstrations": {"weight": 4.0},
    "edit": {"weight": 2.0},
    "crossover": {"weight": 0.5},
    "feedback": {"weight": 0.5},
    "reflexion": {"weight": 0.25},
    "shorten": {"weight": 0.25},
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How prompts are searched. Rewards are measured at `temperature` with seeded sampling.

    `proposers` maps names of PROPOSERS to `{"weight": share, **options}`. The scope "task" keeps
    one population per task; "shared" carries one through all tasks, as in arXiv 2605.12484.
    """

    population_size: int = 4
    anchor_size: int = 16  # at most; never more than half of the lesson's examples
    minibatch_size: int = 4
    proposals_per_step: int = 12
    promotions_per_step: int = 2
    max_demos: int = 4
    max_lessons: int = 3
    max_chars: int = 4000
    scope: Literal["task", "shared"] = "task"
    reselection_budget: int = 160  # metric calls after each lesson that changed something; 0: none
    temperature: float = 0.0
    max_tokens: int = 8
    proposers: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=lambda: dict(_DEFAULT_PROPOSERS)
    )

    def __post_init__(self) -> None:
        """Raise ValueError for a size that leaves nothing to do."""
        positive = ("population_size", "anchor_size", "minibatch_size", "proposals_per_step")
        for name in (*positive, "promotions_per_step", "max_chars", "max_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("max_demos", "max_lessons", "temperature", "reselection_budget"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
