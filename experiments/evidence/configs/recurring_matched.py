"""The stream `recurring` with the budgets at which interleaving costs what deciding does."""

import ml_collections

from experiments.evidence.configs import mixed_matched, recurring


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration."""
    return mixed_matched.matched(recurring.get_config())


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return mixed_matched.matched(recurring.get_test_config())
