"""Run directories of several methods and seeds, made of a run's own writers; figures are invented.

Three tasks of two lessons, evaluated before the first lesson and after every task. What a method
does to the scores is simple enough to work out by hand, see `Habits`.
"""

import pathlib
from typing import NamedTuple

import numpy as np

from fastslow import files, learner, types
from fastslow.fast import prompt as prompts
from fastslow.report import records

NAN = float("nan")
TASKS = ("sentiment", "sarcasm", "food")
LESSONS = 2  # per task
ITEMS = 96


class Habits(NamedTuple):
    """What a method does in each lesson."""

    fast: float  # share of the missing score that prompts gain
    slow: float  # share of the missing score that weights gain
    forget: float  # share of the score above the start that other tasks lose, by slow lessons
    steps: int
    calls: int
    deciding: types.Cost = types.Cost()  # of every lesson


METHODS = {
    "interleave": Habits(0.30, 0.35, 0.08, 6, 160),
    "slow_only": Habits(0.0, 0.40, 0.16, 6, 0),
    "fast_only": Habits(0.33, 0.0, 0.0, 0, 160),
    "fast_then_slow": Habits(0.30, 0.30, 0.12, 6, 160),
}


def config(scheduler="interleave", seed=0, order_seed=0, **changes):
    """Return config.json; `changes` are dotted keys with __ for the dots."""
    content = {
        "schema": 1,
        "config": {
            "seed": seed,
            "order_seed": order_seed,
            "model": {"name": "smollm2-135m-instruct", "dtype": "bfloat16"},
            "stream": {
                "name": "evals_short",
                "order": "shuffled",
                "tasks": list(TASKS),
                "test": ITEMS,
            },
            "scheduler": {
                "name": scheduler,
                "slow_steps": METHODS.get(scheduler, METHODS["interleave"]).steps,
            },
            "fast": {"name": "gepa", "population_size": 2, "proposers": {}},
            "slow": {"name": "lora", "learning_rate": 5e-4, "targets": ["q", "v"]},
            "evaluation": {"temperature": 0.0, "samples": 1},
        },
        "model_digest": "b1" * 32,
        "stream_digest": f"{order_seed:02d}" * 32,
        "versions": {"python": "3.11.7", "jax": "0.10.2"},
        "git": "0123456789abcdef",
    }
    for key, value in changes.items():
        section = content["config"]
        *path, last = key.split("__")
        for part in path:
            section = section[part]
        section[last] = value
    return content


def order(order_seed):
    """Return the tasks in the order that the run teaches them."""
    return [TASKS[(place + order_seed) % len(TASKS)] for place in range(len(TASKS))]


def write(
    directory: pathlib.Path,
    scheduler="interleave",
    seed=0,
    order_seed=0,
    noise=0.03,
    done=True,
    events=99,
    habits=None,
    unmeasured=(),
    **changes,
) -> pathlib.Path:
    """Write a run: its first `events` of ten events, and quadrants and DONE if `done`.

    `noise` is the standard deviation of scores, drawn from the seed. `unmeasured`: (event, task)
    whose score is null.
    """
    habits = habits or METHODS[scheduler]
    rng = np.random.default_rng(
        seed + 100 * sorted(METHODS).index(scheduler if scheduler in METHODS else "interleave")
    )
    files.write_json_atomic(
        directory / "config.json", config(scheduler, seed, order_seed, **changes)
    )
    level = dict(zip(TASKS, (0.02, 0.10, 0.05), strict=True))
    start, learned = dict(level), dict.fromkeys(TASKS, 0)
    event, steps = 0, 0

    def append(row, seconds):
        nonlocal event
        if event < events:
            records.append(directory, row, seconds)
        event += 1

    def evaluate():
        shown = {
            task: NAN
            if (event, task) in unmeasured
            else float(np.clip(round((score + noise * rng.normal()) * ITEMS) / ITEMS, 0, 1))
            if noise
            else score
            for task, score in level.items()
        }
        drift = {
            task: {
                "with_prompt": learner.Drift(
                    0.02 * steps * (1 + noise * rng.normal()), 0.03 * steps
                ),
                "without_prompt": learner.Drift(
                    0.01 * steps * (1 + noise * rng.normal()), 0.011 * steps
                ),
            }
            for task in TASKS
        }
        if event < events:
            for task in TASKS:
                demos = tuple(
                    types.Demo("A question of some length?", "yes")
                    for _ in range(2 * learned[task])
                )
                text = prompts.to_markdown(types.Prompt("Answer with one word.", demos))
                files.write_text_atomic(directory / "prompts" / str(event) / task / "0.md", text)
        point = types.EvaluationPoint(event, TASKS)
        cost = types.Cost(9_000, 1_000, 0, 3 * ITEMS, flops=2.6e12)
        append(
            records.evaluation_row(point, shown, dict.fromkeys(TASKS, ITEMS), drift, steps, cost),
            22.0,
        )

    evaluate()
    for task in order(order_seed):
        for repeat in range(LESSONS):
            row, moved = _lesson(event, task, habits, steps, repeat, rng)
            steps += habits.steps
            for other in TASKS:
                if other == task:
                    level[task] += (0.9 - level[task]) * (habits.fast + habits.slow)
                elif habits.steps:
                    level[other] -= (level[other] - start[other]) * habits.forget
            learned[task] += moved
            append(row, 60.0 + rng.random())
        evaluate()
    if done:
        corners = {
            "base_seed": start,
            "base_evolved": {t: start[t] + habits.fast * 0.8 for t in TASKS},
            "trained_seed": {t: start[t] + habits.slow * 0.8 for t in TASKS},
            "trained_evolved": level,
        }
        records.append(
            directory,
            records.quadrants_row(corners, types.Cost(9_000, 700, 0, 288, flops=2.6e12)),
            21.0,
        )
        files.write_text_atomic(directory / "DONE", "")
    return directory


def _lesson(event, task, habits, steps, repeat, rng):
    moved = bool(habits.calls) and (repeat == 0 or rng.random() < 0.5)
    fast = types.Absorbed("fast", "skipped", "no budget")
    if habits.calls:
        seconds = 30.0 + 5 * rng.random()
        cost = types.Cost(8_000, 400, 0, habits.calls, flops=2.2e12, seconds=seconds)
        outcome = "changed" if moved else "rejected"
        fast = types.Absorbed("fast", outcome, "prompts", 0.3, 0.5, cost, {"proposals": []})
    slow = types.Absorbed("slow", "skipped", "no budget")
    if habits.steps:
        rewards = [{"reward": 0.3 + 0.05 * step} for step in range(habits.steps)]
        seconds = 40.0 + 5 * rng.random()
        cost = types.Cost(4_000, 300, 5_000, 192, flops=5e12, seconds=seconds)
        slow = types.Absorbed("slow", "changed", "steps", 0.3, 0.6, cost, {"steps": rewards})
    decision = types.Decision(habits.calls, habits.steps, "every lesson")
    probe = types.Probe(repeat, 0, 0)
    report = types.LessonReport(probe, decision, (fast, slow), deciding=habits.deciding)
    row = records.lesson_row(types.Lesson(event, task, ()), report, steps + habits.steps)
    return row, moved


def write_many(directory, methods=("interleave", "slow_only", "fast_only"), seeds=3, orders=False):
    """Write a run per method and seed; `orders`: each seed with its own order of the tasks."""
    for scheduler in methods:
        for seed in range(seeds):
            name = f"{scheduler}-{seed}"
            write(directory / name, scheduler, seed, seed if orders else 0)
    return directory
