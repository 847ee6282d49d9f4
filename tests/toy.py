"""A learner without a language model: the loop must not need one.

Slow: a weight per task that steps up when taught and decays otherwise. Fast: notes of taught items.
An answer is right when the weight passed the item's threshold, or its note was taken.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from fastslow import files, learner, seeds, types

TASKS = ("red", "green", "blue")


@dataclasses.dataclass(frozen=True)
class Slow:
    """A number per task."""

    def init(self, seed):
        return {"w": np.zeros(len(TASKS), np.float32)}

    def absorb(self, state, lesson, budget, seed):
        step = 0.1 * budget * (1 + np.random.default_rng(seed).random(dtype=np.float32))
        w = state.slow["w"].copy()
        w *= 0.9  # forgets
        w[TASKS.index(lesson.task_name)] += step
        details = {"steps": [{"reward": 0.5}] * budget}
        cost = types.Cost(train_tokens=7 * budget, flops=1.5)
        return {"w": w}, types.Absorbed("slow", "changed", "stepped", 0.0, 0.5, cost, details)

    def save(self, state):
        return types.Saved(arrays=state, text={})

    def restore(self, saved):
        return saved.arrays


def note(example):
    """Return what the fast channel remembers of an item: its task and number, not its split."""
    return f"{example.target} {example.id[-1]}"


@dataclasses.dataclass(frozen=True)
class Fast:
    """The notes taken so far."""

    def init(self, seed):
        return ()

    def absorb(self, state, lesson, budget, seed):
        new = tuple(note(e) for e in lesson.examples)[:budget]
        cost = types.Cost(metric_calls=budget)
        return state.fast + new, types.Absorbed("fast", "changed", "noted", 0.0, 0.1, cost)

    def save(self, state):
        return types.Saved(arrays={}, text=list(state))

    def restore(self, saved):
        return tuple(saved.text)


def predict(state, task, examples, seed, temperature):
    weight = float(state.slow["w"][TASKS.index(task.name)])
    noise = np.random.default_rng(seed).normal(0, 0.05, len(examples))
    known = [
        e.target if note(e) in state.fast or weight + n > float(e.metadata["threshold"]) else "?"
        for e, n in zip(examples, noise, strict=True)
    ]
    return known, types.Cost(prompt_tokens=len(examples))


def drift(state, task):
    moved = float(state.slow["w"][TASKS.index(task.name)])
    report = {"with_prompt": learner.Drift(moved, 2 * moved)}
    return report, types.Cost(flops=1.0)


def export(state, directory):
    files.write_text_atomic(files.make_directory(directory) / "seen.md", "\n".join(state.fast))


LEARNER = learner.Learner(Slow(), Fast(), predict, drift, export)


def score(prediction, example):
    right = prediction == example.target
    return types.Score(float(right), "right" if right else f"expected {example.target}")


def task(name, size=6):
    def item(split, number):
        threshold = str((number + 1) / size)
        return types.Example(
            f"{split}{number}", f"{name} {split} {number}", name, (), {"threshold": threshold}
        )

    splits = [tuple(item(s, i) for i in range(size)) for s in ("train", "validation", "test")]
    return types.Task(name, *splits, score)


@dataclasses.dataclass(frozen=True)
class Stream:
    """Two lessons of each task, in an order drawn from the seed, with evaluations between."""

    seed: int = 0

    @property
    def tasks(self):
        return {name: task(name) for name in TASKS}

    def events(self):
        order = np.random.default_rng(seeds.derive(self.seed, "order")).permutation(len(TASKS) * 2)
        yield types.EvaluationPoint(0, TASKS)
        for i, number in enumerate(order):
            name = TASKS[number % len(TASKS)]
            yield types.Lesson(2 * i + 1, name, self.tasks[name].train[:3])
            yield types.EvaluationPoint(2 * i + 2, TASKS)
