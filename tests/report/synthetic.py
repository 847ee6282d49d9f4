"""A run directory as a real run leaves it, made of the same writers; figures are invented.

Three tasks, six lessons, an evaluation before the first and after each: a rejected and a failed
lesson, tasks not evaluated everywhere (NaN cells), names that need escaping.
"""

import pathlib
from collections.abc import Iterator

from fastslow import files, learner, types
from fastslow.evaluation import constant, evaluator
from fastslow.fast import prompt as prompts
from fastslow.report import predictions, records

NAN = float("nan")
TASKS = ("tomi", "sarcasm", "event <b>&$x_1$")
TAUGHT = (0, 0, 1, 1, 2, 0)  # index into TASKS of lessons 0..5
SCORES = (  # (evaluations, tasks): before the first lesson and after each
    (0.0, 0.02, 0.11),
    (0.36, 0.05, NAN),
    (0.55, 0.05, 0.12),
    (0.52, 0.61, NAN),
    (0.44, 0.78, 0.15),
    (0.47, 0.72, 0.70),
    (0.58, 0.75, 0.64),
)
SLOW_STEPS = (0, 8, 0, 8, 0, 4)
OUTCOMES = (  # (fast, slow) of every lesson
    (("changed", "best of 12 proposals gained 0.36"), ("skipped", "no slow budget")),
    (("rejected", "no proposal was better than 0.36"), ("changed", "8 of 8 steps had a signal")),
    (("changed", "best of 9 proposals gained 0.50"), ("skipped", "no slow budget")),
    (("skipped", "no fast budget"), ("changed", "7 of 8 steps had a signal")),
    (("failed", "ConnectionError: reflection <model> unreachable"), ("skipped", "no slow budget")),
    (("changed", "best of 6 proposals gained 0.02"), ("rejected", "step 3: loss is not finite")),
)
KINDS = ("skill", "convention", "skill")
CONSTANTS = (0.08, 0.52, NAN)  # scores of the best constant answers
CONFIG = {
    "schema": 1,
    "config": {
        "seed": 3,
        "order_seed": 1,
        "model": {"name": "smollm2-135m-instruct"},
        "stream": {"name": "evals-short", "tasks": list(TASKS)},
        "scheduler": {"name": "fast_then_slow", "patience": 2},
        "fast": {"name": "gepa", "keep": 4},
        "slow": {"name": "lora", "rank": 8, "learning_rate": 5e-4},
        "evaluation": {"temperature": 0.0, "samples": 1},
    },
    "model_digest": "3f9a" * 16,
    "versions": {"python": "3.11.7", "jax": "0.10.2"},
    "git": "0123456789abcdef+",
}


def write(directory: pathlib.Path, events: int = 13, done: bool = True) -> pathlib.Path:
    """Write the tasks and the first `events` of the 13 events; `done` adds quadrants and DONE."""
    files.write_json_atomic(directory / "config.json", CONFIG)
    constants = {t: constant.Constant("0", s) for t, s in zip(TASKS, CONSTANTS, strict=True)}
    kinds = dict(zip(TASKS, KINDS, strict=True))
    records.append(directory, records.tasks_row(kinds, constants), seconds=0.0)
    for index in range(events):
        if index % 2:
            records.append(directory, _lesson(index), seconds=40.0 + index)
        else:
            _evaluate(directory, index)
    if done:
        corners = {
            "base_seed": SCORES[0],
            "base_evolved": (0.36, 0.52, NAN),
            "trained_seed": (0.21, 0.44, 0.13),
            "trained_evolved": SCORES[-1],
        }
        by_corner = {c: dict(zip(TASKS, values, strict=True)) for c, values in corners.items()}
        cost = types.Cost(9_000, 700, 0, 120, flops=2.6e12)
        records.append(directory, records.quadrants_row(by_corner, cost), seconds=21.0)
        files.write_text_atomic(directory / "DONE", "")
    return directory


def _lesson(index: int) -> records.Row:
    number = index // 2
    task = TASKS[TAUGHT[number]]
    budgets = [48 if OUTCOMES[number][0][0] != "skipped" else 0, SLOW_STEPS[number]]
    decision = types.Decision(*budgets, f"{task}: lesson {number} of the plan")
    probe = types.Probe(TAUGHT[:number].count(TAUGHT[number]), 0, number)
    fast, slow = OUTCOMES[number]
    absorbed = (_fast(*fast, number), _slow(*slow, number))
    report = types.LessonReport(probe, decision, absorbed)
    steps = sum(SLOW_STEPS[: number + 1])
    return records.lesson_row(types.Lesson(index, task, ()), report, steps)


def _fast(outcome: str, reason: str, number: int) -> types.Absorbed:
    if outcome == "skipped":
        return types.Absorbed("fast", outcome, reason)
    cost = types.Cost(40_000, 2_500, 0, 48, 6, 1_800, 240, 1.1e13, 14.0 + number)
    after = 0.36 + number / 10 if outcome == "changed" else 0.36
    return types.Absorbed("fast", outcome, reason, 0.36, after, cost, {"proposals": 12})


def _slow(outcome: str, reason: str, number: int) -> types.Absorbed:
    if outcome == "skipped":
        return types.Absorbed("slow", outcome, reason)
    rewards = [0.30 + 0.05 * step + 0.04 * (-1) ** step for step in range(SLOW_STEPS[number])]
    steps = [{"reward": r, "loss": NAN if outcome == "rejected" else 0.1} for r in rewards]
    cost = types.Cost(30_000, 2_000, 32_000, 256, flops=4.2e13, seconds=22.0)
    return types.Absorbed("slow", outcome, reason, rewards[0], rewards[-1], cost, {"steps": steps})


def _evaluate(directory: pathlib.Path, index: int) -> None:
    number = index // 2
    named = dict(zip(TASKS, SCORES[number], strict=True))
    scores = {task: score for task, score in named.items() if score == score}
    steps = sum(SLOW_STEPS[:number])
    drift = {
        task: {
            "with_prompt": learner.Drift(0.004 * steps + 0.001 * place, 0.005 * steps),
            "without_prompt": learner.Drift(0.011 * steps, 0.013 * steps if place else NAN),
        }
        for place, task in enumerate(scores)
    }
    point = types.EvaluationPoint(index, tuple(scores))
    cost = types.Cost(18_000, 1_500, 0, 192, flops=5.3e12)
    counts = dict.fromkeys(scores, 64)
    row = records.evaluation_row(point, scores, counts, drift, steps, cost)
    records.append(directory, row, seconds=9.0)
    predictions.write(directory, index, {task: list(_graded(task)) for task in scores})
    for place, task in enumerate(TASKS):
        _export(directory / "prompts" / str(index) / task.replace("<b>", ""), number, place)


def _export(folder: pathlib.Path, number: int, place: int) -> None:
    grown = sum(TAUGHT[n] == place and OUTCOMES[n][0][0] == "changed" for n in range(number))
    for member in range(min(grown, 2) + 1):
        demos = tuple(types.Demo(f"Question {k}?", str(k % 2)) for k in range(grown - member))
        prompt = types.Prompt("Answer with <one> word.", demos, ("No sentences.",) * grown)
        files.write_text_atomic(folder / f"{member}.md", prompts.to_markdown(prompt))
    if grown:
        listed = [{"file": f"{k}.md", "mean": 0.6 - 0.1 * k} for k in range(min(grown, 2) + 1)]
        files.write_json_atomic(folder / "scores.json", {"prompts": listed})


def _graded(task: str) -> Iterator[evaluator.Graded]:
    for number in range(6):
        example = types.Example(f"e{number}", f"Where is <Anna> now, {task}?", "kitchen")
        correct = number % 2 == 0
        score = types.Score(float(correct), "correct" if correct else "got a sentence")
        yield evaluator.Graded(example, 0, "kitchen" if correct else "In the </pre> garden.", score)
