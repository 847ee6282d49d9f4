"""The command line of comparisons: what a user types, what comes back, what goes wrong."""

import re

import pytest

from tests.experiments import cli
from tests.report.comparison import synthetic


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    synthetic.write_many(folder, methods=("interleave", "slow_only"), seeds=2)
    return folder


def test_a_comparison_is_printed_and_written(directory, tmp_path):
    status, output = cli.run(
        "compare",
        f"--runs={directory}/interleave*",
        f"--runs={directory}/slow*",
        "--baseline=slow_only",
        "--at_equal=tokens",
        "--interval=bootstrap",
        "--metric=forgetting,tokens",
        f"--out={tmp_path}/out",
    )
    assert status == 0, output
    assert "Methods are compared at 55.8 k tokens" in output
    assert "percentile bootstrap" in output
    assert re.search(r"interleave\s+2\s", output)
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "comparison.md",
        "comparison.tex",
        "comparison.csv",
        "measurements.csv",
        "forgetting.png",
        "forgetting.svg",
        "forgetting.pdf",
        "costs.pdf",
    }


def test_a_mistake_is_one_clear_message(directory):
    status, output = cli.run("compare", f"--runs={directory}/*", "--by=fast")
    assert status == 2
    assert "error: the runs of 'gepa' differ in more than their seeds" in output
    assert "scheduler.name: interleave in interleave-0, interleave-1; slow_only in" in output
    assert "Traceback" not in output
