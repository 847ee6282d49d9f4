import pytest

from experiments import program


@pytest.mark.parametrize(
    ("category", "line"),
    [
        (UserWarning, "warning: gone\n"),
        (DeprecationWarning, "numpy.py:7: DeprecationWarning: gone\n"),
    ],
)
def test_own_warnings_are_one_line_and_those_of_libraries_keep_their_place(category, line):
    assert program.warning_line("gone", category, "numpy.py", 7, None) == line
