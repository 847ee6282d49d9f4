"""What a scheduler knew when it decided, and what it tried: tables of a run's lessons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fastslow import types
from fastslow.report import records, table, wording


class Fact(NamedTuple):
    """How a fact of a probe is shown."""

    title: str
    meaning: str
    write: Callable[[float], str]


def _plain(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


FACTS: Mapping[str, Fact] = {
    "times_seen": Fact("Times\nseen", "earlier lessons of the same task", wording.quantity),
    "lessons_since": Fact(
        "Lessons\nsince", "since the task was last taught; 0 if never", wording.quantity
    ),
    "returns": Fact(
        "Times\nback", "after lessons of other tasks, this one included", wording.quantity
    ),
    "fast_worth": Fact(
        "Fast\nworth", "validation reward per TFLOP that prompts gained when last used", _plain
    ),
    "slow_worth": Fact(
        "Slow\nworth", "validation reward per TFLOP that weights gained when last used", _plain
    ),
    "validation_reward": Fact(
        "Validation\nreward", "mean on validation examples, greedy, best prompt", wording.score
    ),
    "sampled_reward": Fact(
        "Sampled\nreward", "mean on the lesson's own examples, all prompts", wording.score
    ),
    "best_minus_mean": Fact(
        "Best −\nmean", "sampled reward of the best prompt minus that of all", wording.change
    ),
    "silent_share": Fact(
        "Silent\ngroups", "share of groups of answers whose rewards are all equal", wording.score
    ),
    "malformed_share": Fact(
        "Malformed",
        "share of wrong validation answers that are none of the choices: wrong in form",
        wording.score,
    ),
    "advantage_mass": Fact(
        "Advantage\nmass", "mean distance of a reward from its group's mean", wording.score
    ),
    "gradient_norm": Fact("Gradient\nnorm", "of the objective at the sampled answers", _plain),
    "expected_gain": Fact(
        "Expected\ngain", "of sampled reward by one slow step, to first order", _plain
    ),
    "cosine": Fact(
        "Cosine", "of the gradient with that of the earlier task it opposes most", wording.change
    ),
    "drift": Fact(
        "Drift", "KL(policy ‖ base) on the sampled answers, nats per token", wording.divergence
    ),
    "drift_fill": Fact("Drift\nfill", "drift as a share of slow.drift_budget", wording.score),
    "prompt_fill": Fact(
        "Prompt\nfill", "share of its size limit that the best prompt takes", wording.score
    ),
}


def facts(rows: Sequence[records.Row]) -> table.Table:
    """Return per lesson what the scheduler could know; facts that no lesson has are left out."""
    lessons = records.of_kind(rows, "lesson")
    names = known(rows)
    body = tuple(
        (str(number), row["task"], *(_cell(name, row["probe"].get(name)) for name in names))
        for number, row in enumerate(lessons, 1)
    )
    header = ("Lesson", "Task", *(FACTS[name].title for name in names))
    return table.Table("What the scheduler knew before each lesson", header, body, texts=2)


def known(rows: Sequence[records.Row]) -> list[str]:
    """Return the names of the facts that were measured for a lesson at least."""
    lessons = records.of_kind(rows, "lesson")
    return [name for name in FACTS if any(row["probe"].get(name) is not None for row in lessons)]


def trials(rows: Sequence[records.Row]) -> table.Table:
    """Return per lesson the choices that were tried, what each was worth, and which was kept."""
    body = tuple(
        (
            str(number) if place == 0 else "",
            row["task"] if place == 0 else "",
            wording.trial(trial["budgets"]),
            "kept" if place == wording.kept(row["trials"]) else "",
            wording.score(trial["value"]),
        )
        for number, row in enumerate(records.of_kind(rows, "lesson"), 1)
        for place, trial in enumerate(row.get("trials", ()))
    )
    header = ("Lesson", "Task", "Tried", "Kept", "Value")
    return table.Table("Choices tried, and their values", header, body, texts=4)


def _cell(name: str, value: types.Json) -> str:
    return wording.MISSING if value is None else FACTS[name].write(value)
