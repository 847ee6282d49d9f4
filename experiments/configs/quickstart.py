"""Two short-answer tasks, Fast-Slow Training of SmolLM2-135M, sized for two CPU cores."""

import ml_collections

from experiments.configs import defaults


def get_config() -> ml_collections.ConfigDict:
    """Return the quickstart configuration."""
    config = defaults.get_config()
    config.stream.update(
        tasks=("sentiment", "food"),
        lessons_per_task=2,
        examples_per_lesson=48,  # 6 slow steps of 8 problems
        validation=32,
        test=64,
    )
    config.scheduler.update(fast_budget=120, slow_steps=6)
    config.fast.update(population_size=2, anchor_size=20, reselection_budget=96)
    config.slow.update(learning_rate=1e-3, step_cap=0.01, drift_cap=0.3)
    config.evaluation.drift_examples = 4
    for part in (config.fast, config.slow, config.evaluation):
        part.max_tokens = 6  # enough for every answer of these tasks
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    config = get_config()
    config.model.name = "tiny-random"
    config.slow.objective.name = "sft"  # a random model earns no reward to reinforce
    config.stream.tasks = ("sentiment", "food")  # short inputs: a token per byte
    config.stream.lessons_per_task = 1
    config.stream.examples_per_lesson = 8
    config.stream.validation = 4
    config.stream.test = 6
    config.scheduler.fast_budget = 24
    config.scheduler.slow_steps = 2
    config.fast.anchor_size = 3
    config.evaluation.drift_examples = 2
    return config
