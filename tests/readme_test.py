"""Run what README.md tells the reader to run, and the stream it shows."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TEXT = "\n".join((ROOT / name).read_text() for name in ("README.md", "BUILD.md"))
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
JOINED = [re.sub(r"\\\n\s*", "", block) for block in BLOCKS]  # a backslash continues a line
LINES = [line.partition(" #")[0].strip() for block in JOINED for line in block.splitlines()]
COMMANDS = [part.strip() for line in LINES for part in line.split("&&") if part.strip()]
PROGRAMS = list(dict.fromkeys(c for c in COMMANDS if c.startswith("python -m ")))
# What .ci/run does itself, word for word, and what only points a shell at an environment.
ELSEWHERE = (
    "pip install", "pytest", "ruff ", "mypy ", "python3 -m venv .venv", "source .venv/bin/activate"
)  # fmt: skip


def test_every_command_is_run_somewhere():
    assert PROGRAMS
    unknown = [c for c in COMMANDS if c not in PROGRAMS and not c.startswith(ELSEWHERE)]
    assert unknown == []


def test_ci_runs_the_test_command_of_the_readme():
    command = next(line for line in LINES if line.endswith("pytest") and line != "pytest")
    assert command in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("command", PROGRAMS)
def test_programs_run_as_written(command, tmp_path):
    """Runs take the test configuration in place of the full one; all else is as written."""
    arguments = shlex.split(command)[1:]
    if arguments[1] == "experiments.run":
        arguments.append("--test_config")
    if arguments[1] == "experiments.sweep":
        arguments.append("--dry_run")
    if arguments[1].startswith("benchmarks."):
        arguments.append("--help")
    if arguments[1] in (
        "experiments.report",
        "experiments.export",
        "experiments.compare",
        "experiments.probe",
    ):
        run_the_main_job(tmp_path)
    (tmp_path / "my_streams.py").write_text(stream_of_the_readme())
    done = run(arguments, tmp_path)
    assert done.returncode in ((0, 1) if "--help" in arguments else (0,)), done.stdout


def test_the_stream_of_the_readme_is_short_and_runs(tmp_path):
    source = stream_of_the_readme()
    assert len(source.strip().splitlines()) < 20
    (tmp_path / "my_streams.py").write_text(source)
    command = "-m experiments.run --test_config --stream=my_streams:sums --workdir=run"
    done = run(command.split(), tmp_path)
    assert done.returncode == 0, done.stdout
    assert "subtract" in done.stdout


def stream_of_the_readme():
    (source,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    return source


def run_the_main_job(directory):
    command = "-m experiments.run --test_config --workdir=runs/mine"
    done = run(command.split(), directory)
    assert done.returncode == 0, done.stdout


def run(arguments, directory):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
