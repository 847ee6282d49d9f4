"""Progress of a run, as it happens: on a terminal a live display, in a log plain lines."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TextIO

from fastslow import types
from fastslow.report import happenings, wording
from fastslow.report import pace as pace_lib

Clock = Callable[[], float]  # seconds, from any origin


class Plain:
    """Write one line per happening, each with the time since the start; for logs and pipes."""

    def __init__(self, write: Callable[[str], None], clock: Clock = time.monotonic):
        self._write, self._clock = write, clock
        self._origin = clock()
        self._pace = pace_lib.Pace()

    def __call__(self, happening: happenings.Happening) -> None:
        """Write a line, unless more is told soon: of a step, and where an evaluation begins."""
        match happening:
            case happenings.RunStarted(events, position):
                self._pace = pace_lib.Pace(tuple(events), position)
                lessons = sum(isinstance(event, types.Lesson) for event in events)
                resumed = f", {position} events already done" if position else ""
                evaluations = wording.count(len(events) - lessons, "evaluation")
                self._line(f"{wording.count(lessons, 'lesson')}, {evaluations}{resumed}")
            case happenings.LessonStarted(lesson, decision):
                place = lesson_place(self._pace.events, lesson.index)
                self._begin(lesson)
                left = self._pace.left
                after = "" if left is None else f"; about {wording.duration(left)} left after it"
                given = f"{wording.budgets(decision._asdict())} ({decision.reason})"
                self._line(f"lesson {place}  {lesson.task_name}: {given}{after}")
            case happenings.TrialStarted(budgets):
                self._line("  " + trial_line(budgets))
            case happenings.TrialKept(budgets, value):
                self._line("  " + kept_line(budgets, value))
            case happenings.ChannelDone(result):
                self._line("  " + absorbed_line(result))
            case happenings.EvaluationStarted(point):
                self._begin(point)
            case happenings.Evaluated(_, scores, drift):
                self._line(evaluated_line(scores, drift))

    def _begin(self, event: types.Event) -> None:
        self._pace = self._pace.begins(event, self._clock())

    def _line(self, text: str) -> None:
        elapsed = int(self._clock() - self._origin)
        self._write(f"[{elapsed // 60:02d}:{elapsed % 60:02d}] {text}")


@contextlib.contextmanager
def for_terminal(stream: TextIO | None = None) -> Iterator[happenings.Tell]:
    """Yield a live display if `stream` (default stderr) is a terminal, else one that writes lines.

    However the block is left, the terminal is as it was before.
    """
    output = sys.stderr if stream is None else stream
    if not output.isatty():
        yield Plain(lambda line: print(line, file=output, flush=True))
        return
    from fastslow.report import live  # rich is slow to import, and useless in a log

    with live.display(output) as shown:
        yield shown


def lesson_place(events: Sequence[types.Event], index: int) -> str:
    """Return "3/6" for the third of six lessons."""
    indices = [event.index for event in events if isinstance(event, types.Lesson)]
    return f"{sum(i <= index for i in indices)}/{len(indices)}"


def trial_line(budgets: types.Budgets) -> str:
    """Return the line over the results of a trial."""
    return f"trial: {wording.trial(budgets._asdict())}"


def kept_line(budgets: types.Budgets, value: float) -> str:
    """Return the line under the results of all trials."""
    worth = f"mean validation reward {wording.score(value)}"
    return f"kept: {wording.trial(budgets._asdict())} ({worth} over the tasks so far)"


def absorbed_line(result: types.Absorbed) -> str:
    """Return one line about a lesson in one channel, e.g. "fast changed 0.25 → 0.50 ...".

    The rewards are the channel's own, on what it learned from; a gain is that on validation.
    """
    rewards = (result.reward_before, result.reward_after)
    moved = "" if all(map(math.isnan, rewards)) else " → ".join(map(wording.score, rewards)) + "  "
    seconds = result.cost.seconds
    spent = f"  [{wording.duration(seconds)}, {speed(result.cost)}]" if seconds else ""
    gain = "" if math.isnan(result.gain) else f"; gain on validation {wording.change(result.gain)}"
    return f"{result.channel} {result.outcome}  {moved}{result.reason}{gain}{spent}"


def evaluated_line(scores: Mapping[str, float], drift: happenings.Drift) -> str:
    """Return one line with the score of every task and the mean drift."""
    listed = "  ".join(f"{task} {wording.score(value)}" for task, value in scores.items())
    mean = mean_drift(drift)
    suffix = "" if mean is None else f"  drift {wording.divergence(mean)} nats/token"
    return f"evaluation  {listed}{suffix}"


def mean_drift(drift: happenings.Drift) -> float | None:
    """Return KL(trained || base) with the prompt in nats per token, averaged over tasks."""
    known = [
        conditions["with_prompt"].trained_base
        for conditions in drift.values()
        if "with_prompt" in conditions
    ]
    finite = [value for value in known if not math.isnan(value)]
    return sum(finite) / len(finite) if finite else None


def speed(cost: types.Cost) -> str:
    """Return the tokens per second of a cost that has a time."""
    return f"{wording.quantity(wording.tokens(cost._asdict()) / cost.seconds)} tokens/s"
