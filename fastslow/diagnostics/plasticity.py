"""Can the weights still learn? Fresh training on a new task, from them and from the base."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import jax
import numpy as np

from fastslow import config, seeds, session, types
from fastslow.diagnostics import contracts, fresh, held_out, remembered
from fastslow.diagnostics import subject as subjects
from fastslow.fast import prompt as prompts
from fastslow.metrics import statistics
from fastslow.report import table, wording

_MEASURES = {"final": "Final score (test)", "area": "Mean along the way (validation)"}


@dataclasses.dataclass(frozen=True)
class Plasticity:
    """Fresh slow-only training on a task the run did not teach, from its weights and from the base.

    Both have the same prompt, items, seeds and settings (the run's, without anchors and drift cap),
    a new optimiser and a new adapter: what the run learned is merged into the weights under it, in
    their dtype, and that is all that differs (arXiv 2605.12484, section on plasticity). `task`: see
    held_out.task. `problems` per step, an evaluation `every` so many steps, all of it for each of
    `seeds` seeds. `prompt` is a Markdown file; by default the seed prompt with `demonstrations`
    items, as a small model has no reward to learn from without. Differences are checkpoint minus
    base, positive = what the run did makes the weights learn better. Trainings from the base are
    kept in the user's cache directory.
    """

    task: str = ""
    steps: int = 12
    every: int = 4
    problems: int = 8
    seeds: int = 2
    demonstrations: int = 4
    prompt: str = ""
    validation: int = 32
    test: int = 64

    reads: ClassVar[str] = "train, validation (curve) and test items (final) of the held-out task"

    def __post_init__(self) -> None:
        """Raise ConfigError for a size that leaves nothing to do."""
        for name in ("steps", "every", "problems", "seeds", "validation", "test"):
            if getattr(self, name) < 1:
                raise config.ConfigError(f"plasticity.{name} must be positive")

    def measure(self, subject: subjects.Subject) -> contracts.Finding:
        """Train from both starts, once per seed."""
        if not jax.tree.leaves(subject.base.slow):
            raise contracts.NotApplicableError(f"{subject.directory} has no slow channel to train")
        found = held_out.task(subject, self.task, self.validation, self.test)
        task = held_out.asked(found, self.prompt, self.demonstrations)
        forked = self._from_checkpoint(subject, task)
        based, recalled, cost = self._from_base(subject, task)
        values = {
            "task": task.name,
            "prompt": prompts.to_json(task.seed_prompt),
            "courses": {
                start: [{**course._asdict(), "area": course.area} for course in courses]
                for start, courses in (("checkpoint", forked), ("base", based))
            },
            "differences": differences(forked, based),
        }
        cost = sum((course.cost for course in forked), cost)
        return contracts.Finding(values, cost, _notes(recalled, [*forked, *based]))

    def tables(self, values: types.Json) -> list[table.Table]:
        """Return final score and mean along the way: means over seeds, and their difference."""
        body = []
        for name, title in _MEASURES.items():
            starts = [[c[name] for c in courses] for courses in values["courses"].values()]
            told = values["differences"][name]
            means = (wording.score(float(np.mean(scores))) for scores in starts)
            figures = (wording.change(told[key]) for key in ("mean", "low", "high"))
            body.append((title, *means, *figures))
        header = ("", "From the\ncheckpoint", "From\nthe base", "Difference", "95% from", "to")
        count = len(values["courses"]["base"])
        title = f"Fresh training on {values['task']} ({count} seeds; positive = learns better)"
        return [table.Table(title, header, tuple(body))]

    def _from_checkpoint(self, subject: subjects.Subject, task: types.Task) -> list[fresh.Course]:
        settings = fresh.plain(subject.settings)
        start = fresh.starting(settings, fresh.merged(subject), task)
        return [
            fresh.train(start, task, self._plan(), settings.evaluation, seed)
            for seed in self._seeds(subject)
        ]

    def _from_base(
        self, subject: subjects.Subject, task: types.Task
    ) -> tuple[list[fresh.Course], int, types.Cost]:
        """Return the trainings, how many of them were known, and what the others cost."""
        settings = fresh.plain(subject.settings)
        start = fresh.starting(settings, subject.parts.model, task)
        courses, recalled, cost = [], 0, types.Cost()
        for seed in self._seeds(subject):
            key = {
                "slow": config.plain(settings.slow),
                "evaluation": config.plain(settings.evaluation),
                "model": subject.built.identity["model_digest"],
                "task": session.digest(held_out.Only(task)),
                "splits": session.plan_digest(held_out.Only(task)),
                "plan": self._plan()._asdict(),
                "seed": seed,
            }

            def compute(seed: int = seed) -> types.Json:
                course = fresh.train(start, task, self._plan(), settings.evaluation, seed)
                return course._asdict()

            told, known = remembered.remembered("plasticity", key, compute)
            course = fresh.from_json(told)
            courses.append(course)
            recalled += known
            cost += types.Cost() if known else course.cost
        return courses, recalled, cost

    def _plan(self) -> fresh.Plan:
        return fresh.Plan(self.steps, self.every, self.problems)

    def _seeds(self, subject: subjects.Subject) -> list[int]:
        run = subject.settings.seed
        return [seeds.derive(run, "plasticity", number) for number in range(self.seeds)]


def differences(
    checkpoint: Sequence[fresh.Course], base: Sequence[fresh.Course]
) -> dict[str, dict[str, float]]:
    """Return mean, error and 95% t interval of the paired differences, checkpoint minus base."""
    found = {}
    for name in _MEASURES:
        pairs = zip(checkpoint, base, strict=True)
        values = [getattr(forked, name) - getattr(based, name) for forked, based in pairs]
        found[name] = statistics.estimate(values, statistics.t_interval)._asdict()
    return found


def _notes(recalled: int, courses: Sequence[fresh.Course]) -> tuple[str, ...]:
    notes = [f"{recalled} training(s) from the base were known already"] if recalled else []
    refused = sum(c.outcomes.get("rejected", 0) + c.outcomes.get("failed", 0) for c in courses)
    if refused:
        lessons = sum(sum(course.outcomes.values()) for course in courses)
        notes.append(f"{refused} of {lessons} lessons moved nothing: no signal, or turned down")
    return tuple(notes)
