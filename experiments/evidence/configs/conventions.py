"""One skill under changing forms of the answers, a lesson of each: text should absorb it."""

import ml_collections

from experiments.evidence.configs import mixed


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration."""
    forms = ("words", "yes_no", "thumbs", "label", "digits")
    return mixed.lessons("conventions", conventions=forms, lessons_per_task=1)


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return mixed.tiny(get_config())
