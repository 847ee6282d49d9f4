"""What a dry run says of the time that is left."""

import pytest

from fastslow.sweep import dry_run


@pytest.mark.parametrize(
    ("left", "mean_seconds", "told"),
    [
        (0, None, "0 cells left"),
        (0, 90.0, "0 cells left"),
        (2, None, "2 cells left; the time is unknown until one has finished"),
        (2, 90.0, "2 cells left, 1 min 30 s each: 3 min 00 s of work"),
    ],
)
def test_the_estimate(left, mean_seconds, told):
    assert dry_run.estimate(left, mean_seconds) == told
