"""From what a run tells about itself to numbers on axes."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Mapping, Sequence

from fastslow import types
from fastslow.report import progress, records
from fastslow.report.trackers import contracts


class Scalars:
    """Turn progress into numbers for a sink; implements `progress.Progress`.

    The first exception of the sink is told to `warn`; after it the sink gets nothing more. Steps
    are counted over the whole run, also a resumed one. Of the trials of a lesson only the results
    of the one that was kept are logged, and no steps.
    """

    def __init__(
        self,
        name: str,
        sink: contracts.Sink,
        directory: pathlib.Path,
        warn: Callable[[str], None],
    ):
        self._name, self._directory, self._warn = name, directory, warn
        self._sink: contracts.Sink | None = sink
        self._lesson = 0  # index of the current lesson's event
        self._before = 0  # slow steps before the current budget
        self._done = 0  # and of that
        self._trying = False

    def started(self, events: Sequence[types.Event], position: int) -> None:
        """Count the steps of the lessons that are done."""
        rows = records.read(self._directory) if position else []
        lessons = [row for row in records.of_kind(rows, "lesson") if row["event"] < position]
        if lessons:
            self._before = lessons[-1]["slow_steps"]

    def lesson_started(self, lesson: types.Lesson, decision: types.Decision) -> None:
        """Note where the lesson begins, and log its budgets if they are decided."""
        self._lesson = lesson.index
        if not decision.trials:
            self._log_budgets(types.Budgets(decision.fast_budget, decision.slow_steps))

    def trial_started(self, budgets: types.Budgets) -> None:
        """Log nothing until it is known which trial is kept."""
        self._trying = True

    def trial_kept(
        self, budgets: types.Budgets, value: float, absorbed: Sequence[types.Absorbed]
    ) -> None:
        """Log the budgets, the value and the results of the trial that was kept."""
        self._trying = False
        self._log_budgets(budgets)
        self._log("event", self._lesson, {"trial/value": value})
        for result in absorbed:
            self.absorbed(result)

    def step(self, channel: str, done: int, total: int, facts: Mapping[str, float]) -> None:
        """Log the facts of a slow step; a search is logged when it is through."""
        if self._trying or channel != "slow":
            return
        if done <= self._done:  # a new budget has begun
            self._before += self._done
        self._done = done
        self._log("slow_step", self._before + done, _under(channel, facts))

    def absorbed(self, result: types.Absorbed) -> None:
        """Log rewards and cost of a channel that did something."""
        if result.outcome == "skipped" or self._trying:
            return
        cost = {name: float(value) for name, value in result.cost._asdict().items() if value}
        rewards = {"reward_before": result.reward_before, "reward_after": result.reward_after}
        self._log("event", self._lesson, _under(f"{result.channel}_lesson", {**rewards, **cost}))

    def evaluation_started(self, point: types.EvaluationPoint) -> None:
        """Log nothing: the result follows."""

    def evaluated(
        self, point: types.EvaluationPoint, scores: Mapping[str, float], drift: progress.Drift
    ) -> None:
        """Log scores, and both directions of drift in nats per token."""
        drifts = {
            f"{task}/{condition}/{direction}": value
            for task, conditions in drift.items()
            for condition, found in conditions.items()
            for direction, value in found._asdict().items()
        }
        values = {**_under("score", scores), **_under("drift", drifts)}
        self._log("event", point.index, values)

    def close(self, finished: bool) -> None:
        """Close the sink, if it has not failed."""
        if self._sink is not None:
            sink, self._sink = self._sink, None
            self._guarded(lambda: sink.close(finished))

    def _log_budgets(self, budgets: types.Budgets) -> None:
        given = {name: float(budget) for name, budget in budgets._asdict().items()}
        self._log("event", self._lesson, _under("budget", given))

    def _log(self, axis: contracts.Axis, step: int, values: Mapping[str, float]) -> None:
        sink = self._sink
        finite = {name: float(value) for name, value in values.items() if _is_finite(value)}
        if sink is not None and finite:
            self._guarded(lambda: sink.log(axis, step, finite))

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # whatever it is, it is not worth a run
            self._sink = None
            self._warn(
                f"warning: tracker {self._name!r} failed and is off from now on: "
                f"{type(error).__name__}: {error}"
            )


def _under(section: str, values: Mapping[str, float]) -> dict[str, float]:
    return {f"{section}/{name}": value for name, value in values.items()}


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
