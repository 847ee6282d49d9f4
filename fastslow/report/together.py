"""Several watchers of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastslow import types
from fastslow.report import progress


class Together:
    """Tell every watcher everything, in order; implements `progress.Progress`."""

    def __init__(self, watchers: Sequence[progress.Progress]):
        self._watchers = tuple(watchers)

    def started(self, events: Sequence[types.Event], position: int) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.started(events, position)

    def lesson_started(self, lesson: types.Lesson, decision: types.Decision) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.lesson_started(lesson, decision)

    def trial_started(self, budgets: types.Budgets) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.trial_started(budgets)

    def trial_kept(
        self, budgets: types.Budgets, value: float, absorbed: Sequence[types.Absorbed]
    ) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.trial_kept(budgets, value, absorbed)

    def step(self, channel: str, done: int, total: int, facts: Mapping[str, float]) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.step(channel, done, total, facts)

    def absorbed(self, result: types.Absorbed) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.absorbed(result)

    def evaluation_started(self, point: types.EvaluationPoint) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.evaluation_started(point)

    def evaluated(
        self, point: types.EvaluationPoint, scores: Mapping[str, float], drift: progress.Drift
    ) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.evaluated(point, scores, drift)
