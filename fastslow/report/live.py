"""The live display of a run on a terminal: results scroll by, the current event stays below."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

import rich.console
import rich.live
import rich.progress_bar
import rich.table
import rich.text

from fastslow import types
from fastslow.report import pace as pace_lib
from fastslow.report import progress, wording

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
    """Show progress with rich; implements `progress.Progress`."""

    def __init__(self, live: rich.live.Live, clock: progress.Clock = time.monotonic):
        self._live, self._clock = live, clock
        self._origin = clock()
        self._status = Status()

    def __rich__(self) -> rich.console.RenderableType:
        return render(self._status, self._clock() - self._origin)

    def started(self, events: Sequence[types.Event], position: int) -> None:
        """Set up the bar."""
        self._status = dataclasses.replace(
            self._status, pace=pace_lib.Pace(tuple(events), position), doing="starting"
        )

    def lesson_started(self, lesson: types.Lesson, decision: types.Decision) -> None:
        """Show the lesson and the decision with its reason."""
        place = progress.lesson_place(self._status.pace.events, lesson.index)
        doing = f"lesson {place}  {lesson.task_name}"
        why = f"{wording.budgets(decision._asdict())}: {decision.reason}"
        self._begin(lesson, doing)
        self._print(rich.text.Text(f"{doing}  ({why})", style="bold"))

    def trial_started(self, budgets: types.Budgets) -> None:
        """Let what is tried scroll by."""
        self._print(rich.text.Text("  " + progress.trial_line(budgets)))

    def trial_kept(
        self, budgets: types.Budgets, value: float, absorbed: Sequence[types.Absorbed]
    ) -> None:
        """Let the choice scroll by."""
        self._print(rich.text.Text("  " + progress.kept_line(budgets, value)))

    def step(self, channel: str, done: int, total: int, facts: Mapping[str, float]) -> None:
        """Show how far the channel is."""
        self._status = dataclasses.replace(
            self._status,
            channel=f"{channel} {done}/{total}",
            reward=facts.get("reward", self._status.reward),
        )

    def absorbed(self, result: types.Absorbed) -> None:
        """Let the result scroll by."""
        speed = progress.speed(result.cost) if result.cost.seconds else self._status.speed
        self._status = dataclasses.replace(self._status, channel="", speed=speed)
        self._print(
            rich.text.Text("  " + progress.absorbed_line(result), style=_STYLE[result.outcome])
        )

    def evaluation_started(self, point: types.EvaluationPoint) -> None:
        """Show that an evaluation runs."""
        self._begin(point, f"evaluating {wording.count(len(point.tasks), 'task')}")

    def evaluated(
        self,
        point: types.EvaluationPoint,
        scores: Mapping[str, float],
        drift: progress.Drift,
    ) -> None:
        """Let the scores scroll by."""
        self._status = dataclasses.replace(self._status, drift=progress.mean_drift(drift))
        self._print(rich.text.Text(progress.evaluated_line(scores, drift), style="cyan"))

    def _begin(self, event: types.Event, doing: str) -> None:
        self._status = dataclasses.replace(
            self._status,
            pace=self._status.pace.begins(event, self._clock()),
            doing=doing,
            channel="",
            reward=None,
        )

    def _print(self, text: rich.text.Text) -> None:
        self._live.console.print(text)


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
