"""Movie sentiment, then locations in short stories: which channel learns what, and what is kept.

Seed prompts show four examples, drawn from the seed: without any, weights alone have no reward to
learn from. The stories are ToMi's (CC BY-NC 4.0: not for commercial use).
"""

import ml_collections

from experiments.configs import quickstart


def get_config() -> ml_collections.ConfigDict:
    """Return the comparison's configuration; its methods differ in --scheduler alone."""
    config = quickstart.get_config()
    config.stream.update(
        tasks=("sentiment", "locations"),
        lessons_per_task=3,
        shown=4,
        evaluate_every="lesson",
    )
    config.model.dtype = "float32"  # what is compared are methods, not roundings
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    config = quickstart.get_test_config()
    config.stream.evaluate_every = "lesson"
    return config
