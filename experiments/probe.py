"""Measure what a run did that its records do not show; also of an unfinished run.

  python -m experiments.probe --workdir=runs/mine
  python -m experiments.probe --workdir=runs/mine --what=plasticity --probe_task=sarcasm
  python -m experiments.probe --workdir=runs/mine --what=ablation --option=ablation.examples=32

Diagnostics: `python -m experiments.list`. What is measured stays in RUN/diagnostics/NAME.json and
is shown again by the next call.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import rich.console
from absl import flags

from experiments import program
from fastslow import computing, config
from fastslow.diagnostics import contracts, probing
from fastslow.report import consoles, table, wording

_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory.", required=True)
_WHAT = flags.DEFINE_list(
    "what",
    ["misallocation", "representation"],
    "Diagnostics, separated by commas. Those that are not among the default answer many questions, "
    "or train: they take from minutes to as long as the run.",
)
_EVENT = flags.DEFINE_integer(
    "event", None, "After how many events; of those with a checkpoint. Default: the last."
)
_OPTION = flags.DEFINE_multi_string(
    "option", [], "NAME.OPTION=VALUE of a diagnostic; may be given several times."
)
_PROBE_TASK = flags.DEFINE_string(
    "probe_task", None, "Task that plasticity is probed on: --option=plasticity.task=NAME."
)
_FORCE = flags.DEFINE_boolean("force", False, "Measure again what has been measured.")


def main(argv: Sequence[str]) -> None:
    """Measure, and print every table as soon as it is there."""
    program.reject_arguments(argv)
    computing.prepare()
    given = [*_OPTION.value]
    if _PROBE_TASK.value is not None:
        given.append(f"plasticity.task={_PROBE_TASK.value!r}")
    console = consoles.on(sys.stdout)
    directory = program.folder(_WORKDIR.value, "workdir")
    refused = []
    for answer in probing.probe(
        directory, _WHAT.value, event=_EVENT.value, options=options(given), force=_FORCE.value
    ):
        show(answer, console)
        refused += [answer.name] * bool(answer.problem)
    print(f"Results: {directory / 'diagnostics'}")
    if refused and _WHAT.present:
        raise contracts.NotApplicableError(f"not measured, see above: {', '.join(refused)}")


def options(given: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the options by diagnostic; a value is a Python literal or a word."""
    found: dict[str, dict[str, Any]] = {}
    for text in given:
        path, equals, value = text.partition("=")
        name, dot, option = path.rpartition(".")
        if not (equals and dot):
            raise config.ConfigError(f"--option={text} is not NAME.OPTION=VALUE")
        found.setdefault(name, {})[option] = _literal(value)
    return found


def show(answer: probing.Answer, console: rich.console.Console) -> None:
    """Print one answer."""
    if answer.problem:
        console.print(f"{answer.name}: {answer.problem}", highlight=False, markup=False)
        return
    table.show(answer.tables, console)
    for line in about(answer.content, answer.reused):
        console.print(line, highlight=False, markup=False)


def about(content: Mapping[str, Any], reused: bool) -> list[str]:
    """Return what to know of a table: when, from what, at which cost, and the notes."""
    again = f"measured before, by commit {content['git'] or 'unknown'}; --force measures anew"
    cost = content["cost"]
    spent = f"{wording.quantity(wording.tokens(cost))} tokens, {wording.duration(cost['seconds'])}"
    first = f"{content['diagnostic']} after event {content['event']}, from {content['reads']}"
    return [f"{first} ({spent})", *(f"  {note}" for note in (*content["notes"], *[again] * reused))]


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    program.run_main(main, "what is measured already is kept")
