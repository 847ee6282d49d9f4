"""A finished tiny run of two taught tasks and one that is only evaluated, all checkpoints kept."""

import json

import jax
import pytest

from fastslow import cache, checkpoint, config, reopening, session
from fastslow.diagnostics import subject as subjects

ITEMS = {"train": 12, "validation": 4, "test": 6}


@pytest.fixture(autouse=True, scope="package")
def own_caches(tmp_path_factory):
    """Compile each program once, and keep results of diagnostics out of the user's cache."""
    directory = str(tmp_path_factory.mktemp("programs"))
    options = {
        "jax_compilation_cache_dir": directory,
        "jax_persistent_cache_min_compile_time_secs": 0.1,
    }
    before = {name: getattr(jax.config, name) for name in options}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.ENVIRONMENT_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        for name, value in options.items():
            jax.config.update(name, value)
        yield
        for name, value in before.items():
            jax.config.update(name, value)


def questions(task, split, count):
    for number in range(count):
        yield {"input": f"{task} {split} {number}?", "target": str(number % 2)}


def settings(data, **changes):
    mapping = {
        "seed": 3,
        "order_seed": 0,
        "model": {"name": "tiny-random", "dtype": "float32"},
        "stream": {
            "name": str(data),
            "lessons_per_task": 1,
            "examples_per_lesson": 8,
            "taught": ("ants", "bees"),
        },
        "scheduler": {"name": "interleave", "fast_budget": 24, "slow_steps": 4},
        "fast": {"name": "gepa", "anchor_size": 3, "max_tokens": 2},
        "slow": {"name": "lora", "objective": "sft", "learning_rate": 0.02, "rank": 4},
        "evaluation": {"max_tokens": 2, "drift_examples": 2},
    }
    return config.from_mapping(config.Run, {**mapping, **changes})


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for task in ("ants", "bees", "cats"):
        (folder / task).mkdir()
        for split, count in ITEMS.items():
            rows = questions(task, split, count)
            (folder / task / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (folder / task / "prompt.md").write_text("Say 0 or 1.")
    return folder


@pytest.fixture(scope="session")
def run(data, tmp_path_factory):
    """Return the run directory: evaluation, lesson, evaluation, lesson, evaluation."""
    directory = tmp_path_factory.mktemp("runs") / "mine"
    session.run(settings(data), directory, resume=False, keep=checkpoint.ALL)
    return directory


@pytest.fixture(scope="session")
def subject(run):
    """Return the run at its end."""
    return subjects.Subject(run, reopening.position(run))


@pytest.fixture(scope="session")
def untouched(run):
    """Return the run before its first lesson."""
    return subjects.Subject(run, 1)
