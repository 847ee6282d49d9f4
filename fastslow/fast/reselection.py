"""Choose again among known prompts, on validation examples.

A prompt was chosen for the weights of its time. Later lessons, of other tasks too, move them, and
then it may do worse than its siblings or than the seed prompt: an error of the choice that would
read as forgetting of the weights. And a round ranks its prompts on a few anchors, of which the best
of many candidates is often the luckiest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from fastslow import types
from fastslow.fast import population, prompt_scorer, validity

ScorerOf: TypeAlias = Callable[[types.Task, int], prompt_scorer.PromptScorer]  # (task, budget)

_FEWEST = 12  # validation examples; on fewer, the better of two prompts is mostly luck


class Candidate(NamedTuple):
    """A population with the tasks it serves; their seed prompts compete with its members."""

    known: population.Population
    tasks: tuple[types.Task, ...]

    @property
    def prompts(self) -> tuple[types.Prompt, ...]:
        """All prompts to choose from, those of the population first and best first."""
        seeds = (task.seed_prompt for task in self.tasks)
        return tuple(dict.fromkeys((*self.known.prompts, *seeds)))

    @property
    def fewest(self) -> int:
        """Validation examples to measure on at least; 0 if one of the tasks has none.

        All tasks count the same, so each needs one.
        """
        return min(max(_FEWEST, len(self.tasks)), self.available)

    @property
    def available(self) -> int:
        """Validation examples there are, as many of each task."""
        return min(len(task.validation) for task in self.tasks) * len(self.tasks)


class Chosen(NamedTuple):
    """The re-ranked members, with the rewards of the old and the new best."""

    members: tuple[population.Member, ...]
    before: float
    after: float
    cost: types.Cost


def plan(candidates: Mapping[str, Candidate], budget: int) -> dict[str, int]:
    """Return how many validation examples each population is measured on, the stalest first.

    The budget, in metric calls, is divided equally over all prompts. Where that is less than 12
    examples for each (or one of each task, if there are more), the populations measured longest ago
    get as many, and the others wait.
    """
    total = sum(len(candidate.prompts) for candidate in candidates.values())
    fair = budget // total if total else 0
    shares: dict[str, int] = {}
    for key, candidate in sorted(candidates.items(), key=lambda item: item[1].known.lesson_index):
        share = max(candidate.fewest, min(fair, candidate.available))
        price = share * len(candidate.prompts)
        if 0 < price <= budget:
            shares[key] = share
            budget -= price
    return shares


def refusal(candidates: Mapping[str, Candidate], budget: int) -> str:
    """Say why `plan` measures none of the candidates, of which there is at least one."""
    least = [c.fewest * len(c.prompts) for c in candidates.values() if c.fewest]
    if not least:
        return "a task has no validation examples to choose prompts on"
    return f"{budget} metric calls are too few to choose prompts again: that takes {min(least)}"


def choose(candidate: Candidate, examples: int, scorer_of: ScorerOf, size: int) -> Chosen | None:
    """Measure all prompts on the last validation examples, at most `examples`; keep `size` best.

    As many of each task. Schedulers measure gains on the first ones: where there are too few for
    both, some serve both, and a gain then includes how well the choice of prompts fits them.
    Examples that a prompt shows are left out; None where that leaves nothing. Of equals the earlier
    rank stays ahead; a seed prompt enters only as the best of all.
    """
    each = examples // len(candidate.tasks)
    prompts = candidate.prompts
    rewards: dict[types.Prompt, dict[str, float]] = {prompt: {} for prompt in prompts}
    cost = types.Cost()
    for task in candidate.tasks:
        unshown = _unshown(task.validation[max(0, len(task.validation) - each) :], prompts)
        evaluate = scorer_of(task, len(prompts) * len(unshown))
        measured = evaluate([(prompt, unshown) for prompt in prompts])
        for prompt, answers in zip(prompts, measured, strict=True):
            rewards[prompt] |= {f"{task.name}/{a.example.id}": a.score.value for a in answers}
        cost += evaluate.cost
    members = [population.Member(prompt, rewards[prompt]) for prompt in prompts]
    if not members[0].scores:
        return None
    ranked = sorted(members, key=lambda member: -member.mean)
    kept = [m for m in ranked if m is ranked[0] or m.prompt in candidate.known.prompts]
    return Chosen(tuple(kept[:size]), members[0].mean, ranked[0].mean, cost)


def _unshown(
    examples: Sequence[types.Example], prompts: Sequence[types.Prompt]
) -> list[types.Example]:
    shown = {example.id for prompt in prompts for example in validity.shown(prompt, examples)}
    return [example for example in examples if example.id not in shown]
