"""Several skills under one form of the answers, which four examples show: weights should absorb it.

Without examples the base model answers in sentences, and form is half of what it does wrong.
"""

import ml_collections

from experiments.evidence.configs import mixed


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration."""
    return mixed.lessons("skills", skills=("sentiment", "sarcasm", "food"), shown=4)


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return mixed.tiny(get_config())
