"""From examples to a task: splits, seed prompt and scorer in one call."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import random
from collections.abc import Iterable, Sequence

from fastslow import types
from fastslow.evaluation import scorers
from fastslow.fast import prompt as prompts
from fastslow.streams import errors, splits

VALIDATION = 64  # default sizes of the splits that are not trained on, in examples
TEST = 128


def examples(pairs: Iterable[tuple[str, str]]) -> tuple[types.Example, ...]:
    """Return one example per (input, target) pair, with its position as id."""
    return tuple(types.Example(str(row), *pair) for row, pair in enumerate(pairs))


def listed(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of an option that is a sequence, or one text with commas between."""
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else (*names,)


def make(
    name: str,
    items: Sequence[types.Example],
    instruction: str,
    *,
    validation: int = VALIDATION,
    test: int = TEST,
    split_seed: int = 0,
    group: splits.Group = splits.normalised_input,
    scorer: types.Scorer = scorers.exact_match,
) -> types.Task:
    """Split `items` and return the task that asks them with `instruction` as seed prompt.

    The split depends on `split_seed` only, so that every run of a benchmark has the same test set.
    Raises StreamError if there are too few items.
    """
    parts = splits.split(items, validation=validation, test=test, seed=split_seed, group=group)
    return types.Task(name, *parts, scorer=scorer, seed_prompt=types.Prompt(instruction))


def demonstrated(task: types.Task, count: int, seed: int) -> types.Task:
    """Return the task with `count` training examples moved into its seed prompt.

    Drawn from `seed`, the answers in turn, so that all that there is room for occur, in random
    order. Raises StreamError unless something is left to teach.
    """
    if count == 0:
        return task
    if count >= len(task.train):
        raise errors.StreamError(
            f"task {task.name!r} has {len(task.train)} training examples, "
            f"too few to show {count} and teach the others"
        )
    rng = random.Random(seed)
    by_target = collections.defaultdict(list)
    for example in rng.sample(list(task.train), len(task.train)):
        by_target[example.target].append(example)
    in_turn = itertools.zip_longest(*by_target.values())
    drawn = [example for turn in in_turn for example in turn if example is not None][:count]
    demos = tuple(prompts.demo(example) for example in rng.sample(drawn, count))
    prompt = task.seed_prompt._replace(demos=task.seed_prompt.demos + demos)
    train = tuple(example for example in task.train if example not in drawn)
    return dataclasses.replace(task, train=train, seed_prompt=prompt)
