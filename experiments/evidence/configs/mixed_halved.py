"""The stream `mixed` with half the budgets: two channels for the compute of one."""

import ml_collections

from experiments.evidence.configs import mixed


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration."""
    return halved(mixed.get_config())


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return halved(mixed.get_test_config())


def halved(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Halve what both channels get of a lesson."""
    config.scheduler.fast_budget //= 2
    config.scheduler.slow_steps //= 2
    return config
