"""The live display of a run on a terminal: results scroll by, the current event stays below."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any, TextIO

import rich.console
import rich.live
import rich.progress_bar
import rich.table
import rich.text

from fastslow import types
from fastslow.report import happenings, progress, wording
from fastslow.report import pace as pace_lib

_BAR_WIDTH = 30
_STYLE = {"changed": "green", "rejected": "yellow", "failed": "bold red", "skipped": "dim"}


@dataclasses.dataclass(frozen=True)
class Status:
    """What the display shows of the current event."""

    pace: pace_lib.Pace = dataclasses.field(default_factory=pace_lib.Pace)
    doing: str = ""  # e.g. "lesson 3/6  tomi"
    channel: str = ""  # e.g. "slow 3/8"
    reward: float | None = None
    drift: float | None = None
    speed: str = ""


class Display:
    """Show with rich what happens."""

    def __init__(self, live: rich.live.Live, clock: progress.Clock = time.monotonic):
        self._live, self._clock = live, clock
        self._origin = clock()
        self._status = Status()

    def __rich__(self) -> rich.console.RenderableType:
        return render(self._status, self._clock() - self._origin)

    def __call__(self, happening: happenings.Happening) -> None:
        """Let what is done scroll by, and show what is being done."""
        match happening:
            case happenings.RunStarted(events, position):
                self._show(pace=pace_lib.Pace(tuple(events), position), doing="starting")
            case happenings.LessonStarted(lesson, decision):
                place = progress.lesson_place(self._status.pace.events, lesson.index)
                doing = f"lesson {place}  {lesson.task_name}"
                self._begin(lesson, doing)
                why = f"{wording.budgets(decision._asdict())}: {decision.reason}"
                self._print(f"{doing}  ({why})", "bold")
            case happenings.TrialStarted(budgets):
                self._print("  " + progress.trial_line(budgets))
            case happenings.TrialKept(budgets, value):
                self._print("  " + progress.kept_line(budgets, value))
            case happenings.Stepped(channel, done, total, facts):
                reward = facts.get("reward", self._status.reward)
                self._show(channel=f"{channel} {done}/{total}", reward=reward)
            case happenings.ChannelDone(result):
                cost = result.cost
                speed = progress.speed(cost) if cost.seconds else self._status.speed
                self._show(channel="", speed=speed)
                self._print("  " + progress.absorbed_line(result), _STYLE[result.outcome])
            case happenings.EvaluationStarted(point):
                self._begin(point, f"evaluating {wording.count(len(point.tasks), 'task')}")
            case happenings.Evaluated(_, scores, drift):
                self._show(drift=progress.mean_drift(drift))
                self._print(progress.evaluated_line(scores, drift), "cyan")

    def _begin(self, event: types.Event, doing: str) -> None:
        pace = self._status.pace.begins(event, self._clock())
        self._show(pace=pace, doing=doing, channel="", reward=None)

    def _show(self, **changes: Any) -> None:
        self._status = dataclasses.replace(self._status, **changes)

    def _print(self, text: str, style: str = "") -> None:
        self._live.console.print(rich.text.Text(text, style=style))


@contextlib.contextmanager
def display(output: TextIO) -> Iterator[Display]:
    """Yield a display on `output`; however the block is left, the live part is taken away.

    The cursor is never hidden, so that even a killed process leaves the terminal usable.
    """
    console = rich.console.Console(file=output)
    with rich.live.Live(console=console, refresh_per_second=4, transient=True) as live:
        console.show_cursor(True)
        shown = Display(live)
        live.update(shown)
        yield shown


def render(status: Status, elapsed: float) -> rich.console.RenderableType:
    """Return the live part: bar and times, then the current event, then its figures."""
    bar = rich.progress_bar.ProgressBar(
        total=max(len(status.pace.events), 1), completed=status.pace.position, width=_BAR_WIDTH
    )
    left = wording.duration(status.pace.left)
    times = f"{wording.duration(elapsed)} elapsed, about {left} left after this event"
    head = rich.table.Table.grid(padding=(0, 1))
    head.add_row(bar, f"{status.pace.position}/{len(status.pace.events)} events", times)
    figures = [
        f"reward {wording.score(status.reward)}" if status.reward is not None else "",
        f"drift {wording.divergence(status.drift)} nats/token" if status.drift is not None else "",
        status.speed,
    ]
    current = "  ".join(filter(None, [status.doing, status.channel, *figures]))
    return rich.console.Group(head, rich.text.Text(current, overflow="ellipsis", no_wrap=True))
