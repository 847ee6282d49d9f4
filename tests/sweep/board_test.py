"""Times that follow from a board, by hand."""

import pytest

from fastslow.sweep import board, cells


def row(state, done=0, total=10, **options):
    return board.Row(state, cells.Position(done, total), **options)


def test_a_running_cell_goes_on_as_fast_as_since_it_was_resumed():
    running = row("running", done=5, started=100.0, resumed_at=3)
    assert board.seconds_left(running, now=108.0) == 8 / 2 * 5
    assert board.seconds_left(row("running", done=3, started=100.0, resumed_at=3), 108.0) is None
    assert board.seconds_left(row("running", 0, None, started=100.0), 108.0) is None


def test_the_whole_is_unknown_until_a_cell_has_finished():
    cells_ = {"a": row("running", done=5, started=0.0), "b": row("waiting")}
    assert board.total_left(cells_, now=10.0) is None
    assert board.total_left({"a": cells_["a"]}, now=10.0) == 10.0


def test_the_whole_is_shared_by_those_that_run():
    shown = {
        "done": row("finished", 10, seconds=30.0),
        "done too": row("finished", 10, seconds=50.0),
        "a": row("running", done=5, started=0.0),  # 10 s left
        "b": row("running", started=0.0, seconds=10.0),  # 40 - 10 - 10 left
        "c": row("waiting"),  # 40
        "d": row("failed", seconds=1000.0),
        "e": row("elsewhere"),
    }
    assert board.mean_seconds(shown) == 40.0
    assert board.total_left(shown, now=10.0) == pytest.approx((10 + 20 + 40) / 2)
    assert board.counts(shown) == {
        "waiting": 1, "running": 2, "finished": 2, "failed": 1, "elsewhere": 1,
    }  # fmt: skip


def test_nothing_is_left_when_nothing_runs_or_waits():
    assert board.total_left({"a": row("finished", 10, seconds=3.0)}, now=0.0) is None
