"""Every number that runs are compared by: what it is, which way is better, how it is written."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from fastslow.metrics import matrix as matrices
from fastslow.metrics import summary
from fastslow.report import overview, prompt_files, runs, wording
from fastslow.report.comparison import points


class Measure(NamedTuple):
    """One number of a run, NaN where the run does not define it."""

    title: str
    unit: str
    better: str  # "higher" | "lower"
    of: Callable[[runs.Run], float]
    write: Callable[[float], str]
    write_change: Callable[[float], str]
    of_answers: bool = False  # a mean over test answers: coarse, so equal by chance now and then


def _summary(name: str, run: runs.Run) -> float:
    return summary.summarise(matrices.from_records(run.rows))[name]


def _drift(condition: str, direction: str, run: runs.Run) -> float:
    return overview.mean_drift(overview.last_drift(run.rows), condition, direction)


def _effort(name: str, run: runs.Run) -> float:
    return float(points.spent(run, name)[-1])


def _prompt_characters(run: runs.Run) -> float:
    lengths = best_prompts(run)
    return lengths[max(lengths)] if lengths else float("nan")


def best_prompts(run: runs.Run) -> dict[int, float]:
    """Return {event: characters of the best prompt, mean over tasks} of evaluations with prompts.

    Events at which the prompt of a task is not there are left out: the mean would be another.
    """
    evaluations = [row for row in run.rows if row["kind"] == "evaluation"]
    tasks = {task for row in evaluations for task in row["scores"]}
    lengths: dict[int, list[int]] = {row["event"]: [] for row in evaluations}
    for prompt in prompt_files.read(run.directory):
        if prompt.number == 0 and prompt.event in lengths:
            lengths[prompt.event].append(len(prompt.text))
    return {e: float(np.mean(found)) for e, found in lengths.items() if len(found) == len(tasks)}


def _scored(title: str, name: str, better: str, signed: bool = True) -> Measure:
    write = wording.change if signed else wording.score
    of = functools.partial(_summary, name)
    return Measure(title, "score", better, of, write, wording.change, of_answers=True)


def _drifted(condition: str, direction: str) -> Measure:
    return Measure(
        f"Drift {overview.DIRECTIONS[direction]}, {overview.CONDITIONS[condition]}",
        "nats/token",
        "lower",
        functools.partial(_drift, condition, direction),
        functools.partial(_signed, wording.divergence, ""),
        functools.partial(_signed, wording.divergence, "+"),
    )


def _spent(title: str, name: str, unit: str, write: Callable[[float], str]) -> Measure:
    of = functools.partial(_effort, name)
    plain = functools.partial(_signed, write, "")  # an interval can leave what is possible
    return Measure(title, unit, "lower", of, plain, functools.partial(_signed, write, "+"))


def _signed(write: Callable[[float], str], plus: str, value: float) -> str:
    sign = "\N{MINUS SIGN}" if value < 0 else plus if value > 0 else ""
    return sign + write(abs(value))


def _quantity(value: float) -> str:
    """Write a count; a mean of small counts keeps a decimal."""
    if np.isnan(value):
        return wording.MISSING
    return f"{value:.1f}" if value < 100 and value % 1 else wording.quantity(value)


MEASURES: Mapping[str, Measure] = {
    "average_accuracy": _scored("Average accuracy", "average_accuracy", "higher", signed=False),
    "learning_accuracy": _scored("Learning accuracy", "learning_accuracy", "higher", signed=False),
    "forgetting": _scored("Forgetting", "forgetting", "lower"),
    "backward_transfer": _scored("Backward transfer", "backward_transfer", "higher"),
    "forward_transfer": _scored("Forward transfer", "forward_transfer", "higher"),
    **{
        f"drift_{direction}_{condition}": _drifted(condition, direction)
        for condition in overview.CONDITIONS
        for direction in overview.DIRECTIONS
    },
    "slow_steps": _spent("Slow steps", "slow_steps", "steps", _quantity),
    "tokens": _spent("Tokens in lessons", "tokens", "tokens", _quantity),
    "flops": _spent("FLOP in lessons", "flops", "FLOP", _quantity),
    "seconds": _spent("Time in lessons", "seconds", "s", wording.duration),
    "prompt_characters": Measure(
        "Characters of the best prompt",
        "characters",
        "lower",
        _prompt_characters,
        functools.partial(_signed, _quantity, ""),
        functools.partial(_signed, _quantity, "+"),
    ),
}
