"""Validation rewards of a model state, with those that are known already.

Schedulers are told of rewards on the first validation examples of a task, always the same ones, so
that two states are compared on the same questions; test examples are never looked at.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from fastslow import config, learner, types
from fastslow.evaluation import evaluator


class Result(NamedTuple):
    """What greedy answers to a task's validation examples came to."""

    reward: float  # mean, in [0, 1]
    malformed: float  # see evaluator.malformed_share


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
            answered.scores[task.name],
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
