"""Proactive interference across lessons: facts that are updated, one lesson after the other.

The key-value updates of arXiv 2506.08184 (see pi_llm), met not in one context but in successive
lessons: what was taught earlier about a key is what makes its latest value hard to tell.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from fastslow import seeds, types
from fastslow.evaluation import scorers
from fastslow.streams import conventions, errors, pi_llm, schedule, splits

INSTRUCTION = "Answer with one word."
OWNERS = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana")
# The question of an item tells its split: every fact is in all of them, each time in other words.
QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "train": ("What is {}'s {}?", "Which {1} is {0}'s?", "Name {}'s {}.", "{}'s current {}:"),
    "validation": ("Tell me the {1} of {0}.",),
    "test": ("What {1} does {0} have now?",),
}


@schedule.scheduled
def stream(key_count: int = 32, update_count: int = 3, split_seed: int = 0) -> list[types.Task]:
    """Facts that each task gives other values, so that earlier lessons interfere with the last.

    Each of `key_count` facts ("Ada's animal") has another value in each of the `update_count` tasks
    update_1, update_2, ... All tasks are evaluated throughout: the last is in force, the others
    show what is still remembered in its place. Values are drawn from `split_seed`. Raises
    StreamError for impossible options.
    """
    facts = list(itertools.product(OWNERS, pi_llm.VALUES))
    most = pi_llm.most_updates()
    if not 1 <= key_count <= len(facts):
        raise errors.StreamError(f"key_count must be from 1 to {len(facts)}, got {key_count}")
    if not 1 <= update_count <= most:
        raise errors.StreamError(f"update_count must be from 1 to {most}, got {update_count}")
    rng = np.random.default_rng(seeds.derive(split_seed, "facts"))
    chosen = [facts[i] for i in rng.permutation(len(facts))[:key_count]]
    values = {fact: _draw(rng, fact[1], update_count) for fact in chosen}
    return [
        _task(f"update_{number}", {fact: of_fact[number - 1] for fact, of_fact in values.items()})
        for number in range(1, update_count + 1)
    ]


def _draw(rng: np.random.Generator, key: str, count: int) -> list[str]:
    return [str(value) for value in rng.permutation(pi_llm.values_of(key))[:count]]


def _task(name: str, values: dict[tuple[str, str], str]) -> types.Task:
    parts = {
        split: tuple(
            types.Example(
                f"{split}-{number}-{owner}-{key}",
                question.format(owner, key),
                value,
                pi_llm.values_of(key),
            )
            for number, question in enumerate(questions)
            for (owner, key), value in values.items()
        )
        for split, questions in QUESTIONS.items()
    }
    prompt = types.Prompt(INSTRUCTION)
    return types.Task(
        name, *splits.Splits(**parts), scorers.exact_match, prompt, kind=conventions.KIND
    )
