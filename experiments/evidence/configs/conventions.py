"""One skill under changing forms of the answers, a lesson of each: text should absorb it.

The weights are reinforced, not shown the answers: by examples they would learn the skill as well,
which is no convention, and have reason to.
"""

import ml_collections

from experiments.configs import quickstart
from experiments.evidence.configs import mixed


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration."""
    forms = ("words", "yes_no", "thumbs", "label", "digits")
    config = mixed.lessons("conventions", conventions=forms, lessons_per_task=1)
    config.slow = quickstart.get_config().slow
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return mixed.tiny(get_config())
