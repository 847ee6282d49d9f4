"""The command line of comparisons: what a user types, what comes back, what goes wrong."""

import os
import re
import subprocess
import sys

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


def test_a_reader_that_has_seen_enough_stops_it_without_a_traceback(directory, tmp_path):
    command = [sys.executable, "-m", "experiments.compare"]
    arguments = [f"--runs={directory}/*", f"--out={tmp_path}/out"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as closed:
        told = subprocess.run(
            [*command, *arguments], stdout=closed, stderr=subprocess.PIPE, timeout=600, check=False
        )
    assert (told.returncode, told.stderr) == (1, b"")
    assert (tmp_path / "out" / "comparison.md").exists()


MISTAKES = (
    (("--by=fast",), "the runs of 'gepa' differ in more than their seeds"),
    (("--by=sheduler",), "unknown configuration key 'sheduler'; did you mean 'scheduler'?"),
    (("--metric=forgeting",), "unknown metric 'forgeting'; did you mean 'forgetting'?"),
    (("--runs={directory}",), "holds runs and is none; did you mean '{directory}/*'?"),
    (("--runs={directory}/nothing*",), "no directory matches '{directory}/nothing*'"),
    (("--out={directory}/slow_only-0",), "holds a run and its report: write to another folder"),
    (("--out={file}",), "cannot write {file}: File exists"),
)


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_clear_line_and_changes_nothing(directory, tmp_path, arguments, message):
    file = tmp_path / "a file"
    file.write_text("mine")
    names = {"directory": directory, "file": file}
    given = [argument.format(**names) for argument in arguments]
    if not any(argument.startswith("--runs") for argument in given):
        given.append(f"--runs={directory}/*")
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    status, output = cli.run("compare", *given)
    assert status == 2, output
    told = output[output.index("error: ") :]
    assert message.format(**names) in told
    assert "Traceback" not in output
    assert file.read_text() == "mine"
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


def test_a_refusal_names_what_differs(directory):
    _, output = cli.run("compare", f"--runs={directory}/*", "--by=fast")
    assert "scheduler.name: interleave in interleave-0, interleave-1; slow_only in" in output
