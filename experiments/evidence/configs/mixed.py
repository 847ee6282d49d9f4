"""Conventions and skills interleaved, two lessons of each."""

from typing import Any

import ml_collections

from experiments.configs import defaults, quickstart


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration; policies differ in --scheduler alone."""
    config = lessons(
        "mixed",
        conventions=("thumbs", "label"),
        skills=("sarcasm", "food"),
        examples_per_lesson=192,
    )
    config.scheduler.fast_budget = 80
    config.fast.anchor_size = 10  # a share of the budget affords a round too
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return tiny(get_config())


def lessons(stream: str, **options: Any) -> ml_collections.ConfigDict:
    """Return the quickstart on another stream, skills taught by examples, a dozen steps a lesson.

    A dozen steps of reinforcement teach a model of this size nothing of a skill (scores stay at
    the constant answer's), and where nothing is learned no policy differs from another. For the
    same reason steps have no cap: targets whose form a prompt does not show are far from what the
    model would say. Food from its seed prompt goes from 0.38 to 0.70 of 128 answers in two lessons
    of 192 examples, and with the quickstart's caps to 0.47, at twice the compute (one seed):

      python -m experiments.run --config=experiments/evidence/configs/skills.py --seed=10
        --scheduler=slow_only --fast=none --config.stream.skills=food --config.stream.shown=0
        --config.stream.examples_per_lesson=192 --config.stream.test=128
        [--config.slow.step_cap=0.01 --config.slow.drift_cap=0.3]
    """
    config = quickstart.get_config()
    config.slow.objective.name = "sft"
    config.slow.update(step_cap=0.0, drift_cap=0.0)
    config.stream = defaults.stream(stream)
    config.stream.update(lessons_per_task=2, examples_per_lesson=96, evaluate_every="lesson")
    config.stream.update(validation=96, test=32)  # gains by the first items, prompts by the last
    config.evaluation.probe_examples = 48
    config.stream.update(options)
    config.scheduler.slow_steps = 12
    config.fast.anchor_size = 12
    config.model.dtype = "float32"  # what is compared are methods, not roundings
    return config


def tiny(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Shrink a configuration to the tiny random model."""
    small = quickstart.get_test_config()
    sizes = ("lessons_per_task", "examples_per_lesson", "validation", "test")
    config.stream.update({name: small.stream[name] for name in sizes})
    for section in ("model", "slow", "fast", "evaluation"):
        config[section] = small[section]
    config.scheduler.update(fast_budget=24, slow_steps=2)
    return config
