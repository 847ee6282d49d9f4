"""Run the command-line programs as a user does, in a process of their own."""

import subprocess
import sys


def start(program, *arguments, **options):
    """Start `python -m experiments.PROGRAM`; standard output and error are one text pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", f"experiments.{program}", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def run(program, *arguments, **options):
    """Run a program to its end; return (exit status, output)."""
    process = start(program, *arguments, **options)
    output, _ = process.communicate(timeout=600)
    return process.returncode, output
