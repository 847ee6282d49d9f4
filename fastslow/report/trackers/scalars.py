"""From what a run tells about itself to numbers on axes."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Mapping

from fastslow import types
from fastslow.report import happenings, records
from fastslow.report.trackers import contracts


class Scalars:
    """Turn what happens into numbers for a sink.

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
        self._before = 0  # slow steps of the lessons before
        self._trying = False

    def __call__(self, happening: happenings.Happening) -> None:
        """Log the numbers of what happened."""
        match happening:
            case happenings.RunStarted(_, position):
                rows = records.read(self._directory) if position else []
                lessons = [r for r in records.of_kind(rows, "lesson") if r["event"] < position]
                self._before = lessons[-1]["slow_steps"] if lessons else 0
            case happenings.LessonStarted(lesson, decision):
                self._lesson = lesson.index
                if not decision.trials:
                    self._budgets(types.Budgets(decision.fast_budget, decision.slow_steps))
            case happenings.TrialStarted():
                self._trying = True
            case happenings.TrialKept(budgets, value, absorbed):
                self._trying = False
                self._budgets(budgets)
                self._log("event", self._lesson, {"trial/value": value})
                for result in absorbed:
                    self._absorbed(result)
            case happenings.Stepped("slow", done, _, facts) if not self._trying:
                self._log("slow_step", self._before + done, _under("slow", facts))
            case happenings.ChannelDone(result) if not self._trying:
                self._absorbed(result)
            case happenings.Evaluated(point, scores, drift):
                drifts = {
                    f"{task}/{condition}/{direction}": value
                    for task, conditions in drift.items()
                    for condition, measured in conditions.items()
                    for direction, value in measured._asdict().items()
                }
                values = {**_under("score", scores), **_under("drift", drifts)}
                self._log("event", point.index, values)

    def close(self, finished: bool) -> None:
        """Close the sink, if it has not failed."""
        if self._sink is not None:
            sink, self._sink = self._sink, None
            self._guarded(lambda: sink.close(finished))

    def _budgets(self, budgets: types.Budgets) -> None:
        given = {name: float(budget) for name, budget in budgets._asdict().items()}
        self._log("event", self._lesson, _under("budget", given))

    def _absorbed(self, result: types.Absorbed) -> None:
        """Log rewards and cost of a channel that did something."""
        if result.outcome == "skipped":
            return
        if result.channel == "slow":
            self._before += len(result.details.get("steps", ()))
        cost = {name: float(value) for name, value in result.cost._asdict().items() if value}
        rewards = {"reward_before": result.reward_before, "reward_after": result.reward_after}
        self._log("event", self._lesson, _under(f"{result.channel}_lesson", {**rewards, **cost}))

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
