"""Conventions and skills that come back at power-law intervals, and one that does not."""

import ml_collections

from experiments.configs import defaults
from experiments.evidence.configs import mixed


def get_config() -> ml_collections.ConfigDict:
    """Return the configuration; policies differ in --scheduler alone."""
    config = mixed.get_config()
    inner = defaults.stream("mixed")
    shared = {name: config.stream[name] for name in inner if name != "name"}
    config.stream = {**defaults.stream("recurring"), **shared, "stream": "mixed"}
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    return mixed.tiny(get_config())
