"""Three short-answer tasks, Fast-Slow Training of SmolLM2-135M: minutes on two CPU cores."""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """Return the quickstart configuration."""
    max_tokens = 6  # enough for every answer of these tasks
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.order_seed = 0
    config.model = {"name": "smollm2-135m-instruct", "dtype": "bfloat16"}
    config.stream = {
        "name": "evals_short",
        "tasks": ("sentiment", "food", "word_class"),
        "order": "given",
        "lessons_per_task": 2,
        "examples_per_lesson": 40,
        "repeats": 1,
        "interleave": False,
        "evaluate_every": "task",
        "validation": 32,
        "test": 64,
    }
    config.scheduler = {"name": "interleave", "fast_budget": 160, "slow_steps": 5}
    config.fast = {
        "name": "gepa",
        "population_size": 4,
        "anchor_size": 20,
        "max_demos": 4,
        "scope": "task",
        "max_tokens": max_tokens,
    }
    config.slow = {
        "name": "lora",
        "adapter": {"rank": 8},
        "objective": {"name": "cispo"},
        "anchors": {"kl_exact": {"coefficient": 1e-3}},
        "rollouts": 4,
        "learning_rate": 5e-4,
        "max_tokens": max_tokens,
    }
    config.evaluation = {
        "temperature": 0.0,
        "samples": 1,
        "max_tokens": max_tokens,
        "drift_examples": 8,
    }
    return config


def get_test_config() -> ml_collections.ConfigDict:
    """Return the same path on a tiny random model and little data."""
    config = get_config()
    config.model.name = "tiny-random"
    config.slow.objective.name = "sft"  # a random model earns no reward to reinforce
    config.stream.tasks = ("sentiment", "food")
    config.stream.lessons_per_task = 1
    config.stream.examples_per_lesson = 8
    config.stream.validation = 4
    config.stream.test = 6
    config.scheduler.fast_budget = 24
    config.scheduler.slow_steps = 2
    config.fast.anchor_size = 3
    config.evaluation.drift_examples = 2
    return config
