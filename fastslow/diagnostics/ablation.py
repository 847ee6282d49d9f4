"""Which part of the text carries the gain of the fast channel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal

from fastslow import config, registry, seeds, types
from fastslow.diagnostics import contracts, prompt_parts, scoring
from fastslow.diagnostics import subject as subjects
from fastslow.evaluation import evaluator
from fastslow.fast import prompt as prompts
from fastslow.report import table, wording

SEED = "seed"  # the task's seed prompt, which the gain is over


@dataclasses.dataclass(frozen=True)
class Ablation:
    """Scores of the trained and of the base weights with parts of every task's best prompt.

    `examples` of the split, 0 for all; `variants` are names of prompt_parts.VARIANTS, all if empty.
    Null where a prompt does not have the part. With all test examples "whole" is the corner
    "evolved" of the quadrants, and SEED their corner "seed".
    """

    examples: int = 0
    split: Literal["test", "validation"] = "test"
    variants: tuple[str, ...] = ()

    reads: ClassVar[str] = "test items of the run's tasks (validation items with split=validation)"

    def __post_init__(self) -> None:
        """Raise ConfigError for a negative number of examples."""
        if self.examples < 0:
            raise config.ConfigError(f"ablation.examples must not be negative, got {self.examples}")

    def measure(self, subject: subjects.Subject) -> contracts.Finding:
        """Score every part; equal prompts under equal weights are scored once."""
        for name in self.variants:
            if name not in prompt_parts.VARIANTS:
                raise registry.unknown("variant", name, prompt_parts.VARIANTS)
        values: dict[str, types.Json] = {}
        cost = types.Cost()
        for name, task in subject.tasks.items():
            items = getattr(task, self.split)
            exam = evaluator.Exam(task, items[: self.examples or len(items)])
            values[name], spent = self._task(subject, exam)
            cost += spent
        return contracts.Finding({"tasks": values}, cost, _notes(subject, values))

    def tables(self, values: types.Json) -> list[table.Table]:
        """Return a table for each weights: one line per part, one column per task."""
        tasks = values["tasks"]
        found = []
        for weights, scores in next(iter(tasks.values()))["scores"].items():
            body = tuple(
                (part, *(wording.score(told["scores"][weights][part]) for told in tasks.values()))
                for part in scores
            )
            title = f"Score of the {weights} weights by what is left of the best prompt"
            found.append(table.Table(title, ("Prompt", *tasks), body))
        return found

    def _task(
        self, subject: subjects.Subject, exam: evaluator.Exam
    ) -> tuple[dict[str, types.Json], types.Cost]:
        task = exam.task
        best = subject.parts.fast.best(subject.state.model.fast, task.name)
        draw = seeds.derive(subject.settings.seed, "ablation", task.name)
        chosen = self.variants or tuple(prompt_parts.VARIANTS)
        asked = {name: prompt_parts.VARIANTS[name](best, draw) for name in chosen}
        asked[SEED] = task.seed_prompt
        weights = {"base": subject.base.slow}
        if subject.moved:
            weights["trained"] = subject.state.model.slow
        scores: dict[str, dict[str, float]] = {}
        cost = types.Cost()
        for which, slow in weights.items():
            known: dict[types.Prompt, float] = {}
            for prompt in dict.fromkeys(p for p in asked.values() if p is not None):
                known[prompt], spent = scoring.score(
                    subject.parts, slow, exam, prompt, subject.settings.evaluation, draw
                )
                cost += spent
            scores[which] = {
                name: float("nan") if prompt is None else known[prompt]
                for name, prompt in asked.items()
            }
        told = {name: prompts.to_json(p) if p is not None else None for name, p in asked.items()}
        return {"examples": len(exam.items), "scores": scores, "prompts": told}, cost


def _notes(subject: subjects.Subject, values: Mapping[str, types.Json]) -> tuple[str, ...]:
    counts = ", ".join(f"{name} {told['examples']}" for name, told in values.items())
    notes = [f"items behind each score: {counts}"]
    if not subject.moved:
        notes.append("the weights never moved: there are no trained ones to score")
    return tuple(notes)
