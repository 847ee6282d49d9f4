"""Movie sentiment from a seed prompt that earns no reward: the model answers in sentences."""

import ml_collections

from experiments.configs import two_tasks


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration; its methods differ in --scheduler alone."""
    config = two_tasks.get_config()
    config.stream.tasks = ("sentiment",)
    config.stream.shown = 0
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return two_tasks.get_test_config()
