"""Several skills under one form of the answers: weights should absorb it."""

import ml_collections

from experiments.configs import defaults
from experiments.evidence.configs import mixed


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration."""
    config = mixed.get_config()
    config.stream = defaults.stream("skills")
    config.stream.update(skills=("sentiment", "sarcasm", "food"), evaluate_every="lesson")
    config.stream.update(mixed.SMALL)
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return mixed.tiny(get_config())
