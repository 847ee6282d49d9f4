"""What a sweep shows in a log and in its final table."""

import io

from fastslow.sweep import board, cells, display


def row(state, done=0, total=9, **options):
    return board.Row(state, cells.Position(done, total), **options)


def test_a_log_has_a_line_per_change_and_a_summary_per_minute():
    now, lines = [0.0], []
    plain = display.Plain(lines.append, lambda: now[0])
    start = {"old": row("finished", 9, seconds=20.0), "a": row("waiting"), "b": row("waiting", 4)}
    plain.show(start, "")
    assert lines == ["2 waiting, 1 finished; about 40 s left"]
    going = {**start, "a": row("running", started=0.0), "b": row("running", 4, started=0.0)}
    plain.show(going, "")
    plain.show(going, "")
    assert lines[1:] == ["running  a", "running  b  from 4 of 9 events"]
    now[0] = 61.0
    plain.show({**going, "a": row("failed", 2, seconds=5.0, error="exit status 2: no")}, "a note")
    assert lines[3:] == [
        "failed  a  2 of 9 events  5.0 s  exit status 2: no",
        "1 running, 1 finished, 1 failed; about 1 min 16 s left; a note",
    ]


def test_the_table_shows_every_cell_with_its_error_in_full():
    output = io.StringIO()
    error = "exit status 2: error: no module named 'none' (from 'none:stream') [red]"
    shown = {
        "interleave-seed0-01234567": row("failed", 3, seconds=61.0, error=error),
        "interleave-seed1-89abcdef": row("elsewhere", 0, None),
    }
    display.print_table(shown, output)
    text = output.getvalue()
    assert error in text
    assert "1 min 01 s" in text
    assert "3 of 9" in text
    assert "running elsewhere" in text
    assert "1 failed, 1 running elsewhere" in text


def test_without_a_terminal_the_lines_go_to_the_stream():
    output = io.StringIO()
    with display.opened(output) as shown:
        shown.show({"a": row("running", started=0.0)}, "")
    assert output.getvalue() == "1 running\nrunning  a\n"
