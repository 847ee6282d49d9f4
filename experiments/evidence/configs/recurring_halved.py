"""The stream `recurring` with half the budgets: two channels for the compute of one."""

import ml_collections

from experiments.evidence.configs import mixed_halved, recurring


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration."""
    return mixed_halved.halved(recurring.get_config())


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return mixed_halved.halved(recurring.get_test_config())
