import io
import itertools
import os
import pty
import signal
import subprocess
import sys

import pytest
import rich.console

from fastslow import learner, types
from fastslow.report import happenings, live, pace, progress

NAN = float("nan")
EVENTS = (
    types.EvaluationPoint(0, ("tomi", "crepe")),
    types.Lesson(1, "tomi", ()),
    types.EvaluationPoint(2, ("tomi", "crepe")),
    types.Lesson(3, "crepe", ()),
    types.EvaluationPoint(4, ("tomi", "crepe")),
)
FAST_COST = types.Cost(prompt_tokens=1000, completion_tokens=200, seconds=2)
FAST = types.Absorbed("fast", "rejected", "no gain", 0.25, 0.25, FAST_COST)
SLOW = types.Absorbed("slow", "skipped", "no budget")
DRIFT = {
    "tomi": {"with_prompt": learner.Drift(0.02, 0.1), "without_prompt": learner.Drift(9, 9)},
    "crepe": {"with_prompt": learner.Drift(0.04, 0.1)},
    "new": {"with_prompt": learner.Drift(NAN, NAN)},
}


def _play(tell: happenings.Tell) -> None:
    tell(happenings.RunStarted(EVENTS, 2))
    tell(happenings.EvaluationStarted(EVENTS[2]))
    tell(happenings.Evaluated(EVENTS[2], {"tomi": 0.5, "crepe": NAN}, DRIFT))
    tell(happenings.LessonStarted(EVENTS[3], types.Decision(48, 0, "new task")))
    tell(happenings.Stepped("fast", 16, 48, {"reward": 0.25}))
    tell(happenings.ChannelDone(FAST))
    tell(happenings.ChannelDone(SLOW))


def test_plain_lines_say_what_happened_and_why():
    lines: list[str] = []
    seconds = itertools.chain([100, 101, 110], itertools.repeat(170))
    _play(progress.Plain(lines.append, clock=lambda: next(seconds)))
    assert lines == [
        "[00:01] 2 lessons, 3 evaluations, 2 events already done",
        "[01:10] evaluation  tomi 0.500  crepe –  drift 0.03 nats/token",
        "[01:10] lesson 2/2  crepe: fast 48 calls (new task); about 1 min 00 s left after it",
        "[01:10]   fast rejected  0.250 → 0.250  no gain  [2.0 s, 600 tokens/s]",
        "[01:10]   slow skipped  no budget",
    ]


def test_trials_are_named_and_the_kept_one_is_told():
    lines: list[str] = []
    tell = progress.Plain(lines.append, clock=lambda: 0.0)
    for budgets in (types.Budgets(48, 0), types.Budgets(0, 0)):
        tell(happenings.TrialStarted(budgets))
    tell(happenings.TrialKept(types.Budgets(48, 0), 0.5, (FAST, SLOW)))
    assert lines == [
        "[00:00]   trial: fast 48 calls",
        "[00:00]   trial: no channel",
        "[00:00]   kept: fast 48 calls (mean validation reward 0.500 over the tasks so far)",
    ]


def test_a_log_gets_plain_lines_without_control_characters():
    log = io.StringIO()
    with progress.for_terminal(log) as tell:
        _play(tell)
    assert "lesson 2/2  crepe" in log.getvalue()
    assert "\x1b" not in log.getvalue()


def test_drift_is_unknown_where_nothing_was_measured():
    assert progress.mean_drift({}) is None
    assert progress.mean_drift({"a": {"with_prompt": learner.Drift(NAN, NAN)}}) is None


def test_the_time_left_expects_each_kind_of_event_to_take_its_own_mean():
    going = pace.Pace(EVENTS)
    assert going.left is None
    for event, now in zip(EVENTS[:4], [0.0, 10.0, 110.0, 124.0], strict=True):
        going = going.begins(event, now)
    # evaluations took 10 and 14 s, a lesson 100 s; the second lesson runs, an evaluation is left
    assert going.left == pytest.approx(12.0)
    only_evaluated = pace.Pace(EVENTS, durations=((types.EvaluationPoint, 10.0),))
    assert only_evaluated.left == pytest.approx(40.0)


def test_the_live_part_shows_the_current_event_and_fits_a_narrow_terminal():
    going = pace.Pace(EVENTS, 3)
    status = live.Status(going, "lesson 2/2  crepe", "slow 3/8", 0.25, 0.03, "600 tokens/s")
    console = rich.console.Console(width=100, record=True, file=io.StringIO())
    console.print(live.render(status, 75))
    text = console.export_text()
    for part in ["3/5 events", "1 min 15 s elapsed", "lesson 2/2  crepe  slow 3/8  reward 0.250"]:
        assert part in text
    assert "drift 0.03 nats/token  600 tokens/s" in text
    narrow = rich.console.Console(width=40, record=True, file=io.StringIO())
    narrow.print(live.render(status, 75))
    assert max(map(len, narrow.export_text().splitlines())) <= 40


_ON_A_TERMINAL = """
import sys, time
from fastslow.report import progress
from tests.report import progress_test
with progress.for_terminal() as tell:
    progress_test._play(tell)
    print("a library prints")
    time.sleep(0.5)
    print("ready")
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_display_leaves_the_terminal_usable(how):
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_A_TERMINAL],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(side)
    shown = b""
    while b"ready" not in shown:
        shown += os.read(terminal, 4096)
    process.send_signal(how)
    process.wait(timeout=20)
    try:
        while more := os.read(terminal, 4096):
            shown += more
    except OSError:  # how a pseudo-terminal says that the other side is closed
        pass
    finally:
        os.close(terminal)
    assert b"lesson 2/2  crepe" in shown
    assert b"a library prints" in shown
    assert shown.rfind(b"\x1b[?25h") >= shown.rfind(b"\x1b[?25l")  # the cursor is visible
    if how is signal.SIGINT:
        assert process.returncode != 0
        assert shown.count(b"KeyboardInterrupt") == 1
