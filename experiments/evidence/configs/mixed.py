"""Conventions and skills interleaved, two lessons of each."""

import ml_collections

from experiments.configs import defaults, quickstart

SMALL = {
    "lessons_per_task": 2,
    "examples_per_lesson": 48,  # 6 slow steps of 8 problems
    "validation": 32,
    "test": 40,
}


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration; policies differ in --scheduler alone."""
    config = quickstart.get_config()
    config.stream = defaults.stream("mixed")
    config.stream.update(
        conventions=("thumbs", "label"), skills=("sarcasm", "food"), evaluate_every="lesson"
    )
    config.stream.update(SMALL)
    config.fast.anchor_size = 12  # half the budget affords a round too
    config.model.dtype = "float32"  # what is compared are methods, not roundings
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return tiny(get_config())


def tiny(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Shrink a configuration to the tiny random model."""
    small = quickstart.get_test_config()
    sizes = ("lessons_per_task", "examples_per_lesson", "validation", "test")
    config.stream.update({name: small.stream[name] for name in sizes})
    for section in ("model", "slow", "fast", "evaluation"):
        config[section] = small[section]
    config.scheduler.update(fast_budget=24, slow_steps=2)
    return config
