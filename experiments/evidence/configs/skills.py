"""Several skills under one form of the answers, which four examples show: weights should absorb it.

Without examples the base model answers in sentences, and form is half of what it does wrong.
"""

import ml_collections

from experiments.configs import defaults
from experiments.evidence.configs import mixed


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration."""
    config = mixed.get_config()
    config.stream = defaults.stream("skills")
    config.stream.update(skills=("sentiment", "sarcasm", "food"), evaluate_every="lesson")
    config.stream.update(mixed.SMALL, shown=4)
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return mixed.tiny(get_config())
