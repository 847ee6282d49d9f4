"""Training that starts anew from given weights: slow channel only, one task, one prompt."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from fastslow import config, learner, seeds, types
from fastslow.diagnostics import subject as subjects
from fastslow.evaluation import evaluator
from fastslow.learners import language
from fastslow.lm import model as models
from fastslow.lm import policy
from fastslow.streams import schedule

_NOT_PLAIN = ("anchors", "drift_cap")  # they hold on to what was learned before


class Plan(NamedTuple):
    """How long to train and when to look."""

    steps: int
    every: int  # steps between evaluations; the last stretch may be shorter
    problems: int  # per step


class Course(NamedTuple):
    """One training: what it scored on the way, and what became of its lessons."""

    curve: list[tuple[int, float]]  # (slow steps, score on validation items), from step 0 on
    final: float  # score on test items after the last step
    outcomes: dict[str, int]
    cost: types.Cost

    @property
    def area(self) -> float:
        """The area under the curve over its length: the mean score along the way."""
        return area(self.curve)


def from_json(value: types.Json) -> Course:
    """Invert what JSON makes of `Course._asdict()`."""
    curve = [(steps, score) for steps, score in value["curve"]]
    return Course(curve, value["final"], value["outcomes"], types.Cost(**value["cost"]))


def area(curve: Sequence[tuple[int, float]]) -> float:
    """Return the area under (x, y) points by trapezoids, divided by the length of x."""
    steps, scores = np.array(curve, np.float64).T
    return float(np.trapezoid(scores, steps) / (steps[-1] - steps[0]))


def plain(settings: config.Run) -> config.Run:
    """Return the settings of plain slow training: seed prompts, no anchors and no drift cap."""
    options = {k: v for k, v in settings.slow.options.items() if k not in _NOT_PLAIN}
    return dataclasses.replace(
        settings, fast=config.Plugin("none"), slow=config.Plugin(settings.slow.name, options)
    )


def merged(subject: subjects.Subject) -> models.LanguageModel:
    """Return the model with what the run learned in its own weights, in their dtype."""
    parts, slow = subject.parts, subject.state.model.slow
    dtype = parts.model.params["embed"]["embedding"].dtype.name
    version = policy.LanguagePolicy(parts.model, parts.engine, parts.slow.variables(slow)).version
    params = jax.device_put(parts.slow.dense(slow, dtype))
    return dataclasses.replace(parts.model, params=params, digest=version)


def starting(
    settings: config.Run, model: models.LanguageModel, task: types.Task
) -> learner.Learner:
    """Return a learner whose untrained state computes what `model` computes."""
    return language.learner_of(language.assemble(settings, model, {task.name: task}))


def train(
    start: learner.Learner, task: types.Task, plan: Plan, evaluation: config.Evaluation, seed: int
) -> Course:
    """Train on seeded walks through `task.train`; score validation on the way and test at the end.

    The same seed gives the same items, rollout seeds and adapter, whatever the weights.
    """
    state = learner.init(start, seed)
    walk = schedule.walk(task.train, seeds.derive(seed, "walk"))
    on_the_way = evaluator.Exam(task, task.validation)
    result = evaluator.evaluate(start, state, [on_the_way], evaluation, seed)
    curve, cost = [(0, result.scores[task.name])], result.cost
    outcomes: collections.Counter[str] = collections.Counter()
    for index, done in enumerate(range(0, plan.steps, plan.every)):
        steps = min(plan.every, plan.steps - done)
        examples = tuple(itertools.islice(walk, steps * plan.problems))
        lesson = types.Lesson(index, task.name, examples)
        slow, absorbed = start.slow.absorb(
            state, lesson, steps, seeds.derive(seed, "lesson", index)
        )
        state = state._replace(slow=slow)
        outcomes[absorbed.outcome] += 1
        result = evaluator.evaluate(start, state, [on_the_way], evaluation, seed)
        curve.append((done + steps, result.scores[task.name]))
        cost += absorbed.cost + result.cost
    at_the_end = evaluator.Exam(task, task.test)
    last = evaluator.evaluate(start, state, [at_the_end], evaluation, seed)
    return Course(curve, last.scores[task.name], dict(outcomes), cost + last.cost)
