import pathlib
import subprocess
import sys

import pytest

from experiments import program
from fastslow import config


@pytest.mark.parametrize(
    ("category", "line"),
    [
        (UserWarning, "warning: gone\n"),
        (DeprecationWarning, "numpy.py:7: DeprecationWarning: gone\n"),
    ],
)
def test_own_warnings_are_one_line_and_those_of_libraries_keep_their_place(category, line):
    assert program.warning_line("gone", category, "numpy.py", 7, None) == line


def test_a_folder_may_be_below_home_and_must_have_a_name(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert program.folder("~/runs", "workdir") == pathlib.Path("/home/ada/runs")
    assert program.folder("~nobody-at-all/runs", "workdir") == pathlib.Path("~nobody-at-all/runs")
    with pytest.raises(config.ConfigError, match="--workdir is empty"):
        program.folder("", "workdir")


def test_a_character_that_the_terminal_lacks_is_escaped():
    script = "from experiments import program; program.run_main(lambda _: print('a – b'))"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "a \\u2013 b\n"
