"""The steps of a lesson so far: typed reports of what each did, and as facts for records."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastslow import types
from fastslow.slow import contracts, training


class Report(NamedTuple):
    """What one step sampled and did."""

    reward: float  # mean over all completions; NaN when nothing was sampled
    groups: int
    silent_groups: int  # zero-variance
    rows: int  # with a signal
    collect_seconds: float
    update: training.Update | None = None  # None: no group had reward variance
    train_tokens: int = 0
    update_seconds: float = 0.0

    def facts(self) -> dict[str, float]:
        """Return the numbers by their names in records."""
        facts = {
            "reward": self.reward,
            "groups": self.groups,
            "silent_groups": self.silent_groups,
            "rows": self.rows,
            "collect_seconds": self.collect_seconds,
        }
        if self.update is None:
            return facts
        capped = self.update.capped._asdict() if self.update.capped is not None else {}
        return {
            **facts,
            **self.update.metrics,
            **{f"step_{name}": value for name, value in capped.items()},
            "train_tokens": self.train_tokens,
            "update_seconds": self.update_seconds,
            "tokens_per_second": self.train_tokens / self.update_seconds,
        }


class Taught(NamedTuple):
    """What the steps of a lesson have come to so far."""

    state: training.State
    reports: tuple[Report, ...] = ()
    rows: tuple[contracts.Row, ...] = ()  # all completions, silent ones included
    batches: tuple[contracts.MicroBatch, ...] = ()  # of the last step with a signal
    cost: types.Cost = types.Cost()
    problem: str | None = None

    @property
    def updates(self) -> list[training.Update]:
        """The updates of the steps that had a signal."""
        return [report.update for report in self.reports if report.update is not None]

    @property
    def moved(self) -> bool:
        """Whether any step changed the weights."""
        return any(update.moved for update in self.updates)


def gathered(
    taught: Taught, experience: contracts.Experience, seconds: float
) -> tuple[Taught, Report]:
    """Count what a step gathered in `seconds`; return the step's report so far beside it."""
    report = Report(
        reward=experience.reward,
        groups=experience.groups,
        silent_groups=experience.silent_groups,
        rows=len(experience.rows),
        collect_seconds=seconds,
    )
    counted = taught._replace(
        rows=taught.rows + experience.rows + experience.silent_rows,
        cost=taught.cost + experience.cost,
    )
    return counted, report


def outcome(taught: Taught) -> str:
    """Say in words how many steps had a signal, and how many of those were cut or moved nothing.

    An objective whose steps are mostly cut learns at another pace than its learning rate says.
    """
    updates = taught.updates
    if not updates:
        groups = sum(report.groups for report in taught.reports)
        reward = np.mean([report.reward for report in taught.reports])
        return f"no reward variance in any of {groups} groups (mean reward {reward:.3g})"
    reason = f"{len(updates)} of {len(taught.reports)} steps had a signal"
    shares = [update.share for update in updates if 0 < update.share < 1]
    held = sum(update.held for update in updates)
    unchanged = sum(not update.moved for update in updates) - held
    if shares:
        reason += f", {len(shares)} of them cut to {np.median(shares):.0%} (median) by the step cap"
    if held:
        reason += f", {held} of them held in place by the step cap"
    if unchanged:
        reason += f", {unchanged} of them without any change"
    return reason
