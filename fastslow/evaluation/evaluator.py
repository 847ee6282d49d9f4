"""Ask a learner items of tasks, and score what it answers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fastslow import config, learner, seeds, types
from fastslow.evaluation import scorers


class Exam(NamedTuple):
    """Items of a task to ask: its test split to evaluate, its validation split to choose."""

    task: types.Task
    items: types.Split


class Graded(NamedTuple):
    """One prediction with its score; `sample` counts the repeats of an example from 0."""

    example: Any
    sample: int
    prediction: Any
    score: types.Score


class Evaluation(NamedTuple):
    """Graded predictions by task name, and what they cost."""

    graded: dict[str, list[Graded]]
    cost: types.Cost

    @property
    def scores(self) -> dict[str, float]:
        """Mean score per task, in [0, 1]: accuracy, or mean@k with several samples."""
        return {
            name: math.fsum(g.score.value for g in rows) / len(rows)
            for name, rows in self.graded.items()
        }


def evaluate(
    model: learner.Learner,
    state: types.ModelState,
    exams: Iterable[Exam],
    settings: config.Evaluation,
    seed: int,
) -> Evaluation:
    """Predict and score every item of the exams, `settings.samples` times."""
    graded: dict[str, list[Graded]] = {}
    cost = types.Cost()
    for task, items in exams:
        started = time.perf_counter()
        graded[task.name] = []
        for sample in range(settings.samples):
            sample_seed = seeds.derive(seed, task.name, sample)
            predictions, spent = model.predict(
                state, task, items, sample_seed, settings.temperature
            )
            graded[task.name] += grade(task, items, predictions, sample)
            cost += spent._replace(seconds=0.0) + types.Cost(metric_calls=len(predictions))
        cost += types.Cost(seconds=time.perf_counter() - started)  # scorers take time too
    return Evaluation(graded, cost)


def malformed_share(task: types.Task, graded: Sequence[Graded]) -> float:
    """Return the share of wrong answers to closed questions that would be right for no choice.

    Their form is wrong (a sentence, an unknown label), which a prompt can tell. The other ones are
    wrong choices: the skill is missing. NaN if no closed question was answered wrongly.
    """
    wrong = [g for g in graded if g.score.value < 1 and _is_closed(g.example)]
    malformed = [g for g in wrong if not _would_be_right(task.scorer, g)]
    return len(malformed) / len(wrong) if wrong else math.nan


def _is_closed(example: Any) -> bool:
    return isinstance(example, types.Example) and bool(example.choices)


def _would_be_right(scorer: types.Scorer, graded: Graded) -> bool:
    """Whether the answer is right for some choice of its question."""
    asked = (graded.example._replace(target=choice) for choice in graded.example.choices)
    return any(scorers.score(scorer, graded.prediction, e).value >= 1 for e in asked)


def grade(
    task: types.Task, examples: types.Split, predictions: Sequence[Any], sample: int
) -> list[Graded]:
    """Apply the task's scorer to each prediction."""
    return [
        Graded(example, sample, prediction, scorers.score(task.scorer, prediction, example))
        for example, prediction in zip(examples, predictions, strict=True)
    ]
