"""Tables in a file are not cut to the width of a terminal that is not there."""

import io

from fastslow.report import consoles


def test_a_file_has_the_width_of_a_log_unless_columns_says_another(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert consoles.on(io.StringIO()).width == consoles.LOG_WIDTH
    monkeypatch.setenv("COLUMNS", "50")
    assert consoles.on(io.StringIO()).width == 50
