"""Scores of given weights under a given prompt, whatever the channels would answer with."""

from __future__ import annotations

import dataclasses

from fastslow import config, learner, types
from fastslow.evaluation import evaluator
from fastslow.learners import language, seed_prompts


def prompted(
    parts: language.Language, task: types.Task, prompt: types.Prompt
) -> tuple[learner.Learner, types.Task]:
    """Return the learner that answers with `prompt` (its fast state is {}), and the task to ask."""
    asked = dataclasses.replace(task, seed_prompt=prompt)
    fast = seed_prompts.SeedPrompts("fast", {task.name: asked})
    return language.learner_of(parts._replace(fast=fast)), asked


def score(
    parts: language.Language,
    slow: types.PyTree,
    exam: evaluator.Exam,
    prompt: types.Prompt,
    evaluation: config.Evaluation,
    seed: int,
) -> tuple[float, types.Cost]:
    """Return the mean score of the weights in the slow state under `prompt`."""
    answering, asked = prompted(parts, exam.task, prompt)
    state = types.ModelState(slow, {})
    result = evaluator.evaluate(answering, state, [exam._replace(task=asked)], evaluation, seed)
    return result.scores[asked.name], result.cost
