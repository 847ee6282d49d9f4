"""One skill under changing forms of the answers, a lesson of each: text should absorb it."""

import ml_collections

from experiments.configs import defaults
from experiments.evidence.configs import mixed


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration."""
    config = mixed.get_config()
    config.stream = defaults.stream("conventions")
    config.stream.update(
        conventions=("words", "yes_no", "thumbs", "label", "digits"), evaluate_every="lesson"
    )
    config.stream.update(mixed.SMALL, lessons_per_task=1)
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return mixed.tiny(get_config())
