"""Validation rewards of a model state, with those that are known already.

Schedulers are told of rewards on the first validation examples of a task, always the same ones, so
that two states are compared on the same questions; test examples are never looked at.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from fastslow import config, learner, types
from fastslow.evaluation import evaluator
from fastslow.metrics import statistics


class Result(NamedTuple):
    """What greedy answers to a task's validation examples came to."""

    rewards: tuple[float, ...]  # in [0, 1], by example
    malformed: float  # see evaluator.malformed_share

    @property
    def reward(self) -> float:
        """Mean over the examples."""
        return math.fsum(self.rewards) / len(self.rewards)


Known: TypeAlias = Mapping[str, Result]  # by task, of one state


def complete(
    model: learner.Learner,
    state: types.ModelState,
    known: Known,
    tasks: Iterable[types.Task],
    settings: config.Evaluation,
) -> tuple[Known, types.Cost]:
    """Return what is `known` of a state with the tasks that it lacks, and what these cost."""
    exams = [
        evaluator.Exam(task, task.validation[: settings.probe_examples])
        for task in tasks
        if task.name not in known
    ]
    greedy = dataclasses.replace(settings, samples=1, temperature=0.0)
    answered = evaluator.evaluate(model, state, exams, greedy, 0)
    found = {
        task.name: Result(
            tuple(graded.score.value for graded in answered.graded[task.name]),
            evaluator.malformed_share(task, answered.graded[task.name]),
        )
        for task, _ in exams
    }
    return {**known, **found}, answered.cost


def still_known(
    model: learner.Learner, known: Known, before: types.ModelState, after: types.ModelState
) -> Known:
    """Return what is known of `after`, given what is `known` of `before`."""
    return {name: result for name, result in known.items() if model.alike(before, after, name)}


def mean_reward(known: Known, names: Iterable[str]) -> float:
    """Return the mean over tasks of the mean reward."""
    rewards = [known[name].reward for name in names]
    return math.fsum(rewards) / len(rewards)


class Change(NamedTuple):
    """By how much a mean reward changes, and the standard error of that."""

    mean: float
    error: float


def change(before: Known, after: Known, names: Sequence[str]) -> Change:
    """Return how the mean reward over tasks changes.

    The error is that of examples drawn at random from these very tasks, each answered before and
    after: where few answers change it is small. A task's only example tells nothing of it.
    """
    by_task = [np.subtract(after[name].rewards, before[name].rewards) for name in names]
    errors = [statistics.standard_error(changes) for changes in by_task if changes.size > 1]
    mean = mean_reward(after, names) - mean_reward(before, names)
    return Change(mean, math.hypot(*errors) / len(names))
