"""Proactive interference: values are updated again and again, and only the last one counts.

Wang and Sun, "Unable to Forget: Proactive Interference Reveals Working Memory Limits in LLMs Beyond
Context Length", arXiv 2506.08184: a stream of key-value updates, shuffled over the keys, then the
question for a key's current value. Accuracy falls log-linearly with the number of updates per key,
and the errors are earlier values of that key. Here one key is asked for at a time, and streams are
sized for small models.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from fastslow import seeds, types
from fastslow.evaluation import scorers
from fastslow.streams import errors, generated, schedule, skills, splits
from fastslow.streams import tasks as task_makers

INSTRUCTION = (
    "Values are updated line by line; only the last value of a key counts. Answer with the current"
    " value of the key that is asked for, one word."
)
VALUES: Mapping[str, str] = {  # by key, with blanks between; no value belongs to two keys
    "animal": "bear cat deer dog fox frog goat horse lion mouse owl pig rabbit wolf",
    "colour": "black blue brown cyan gold green grey pink purple red white yellow",
    "fruit": "apple apricot banana cherry grape lemon mango melon peach pear plum",
    "city": "Athens Berlin Cairo Delhi Lima London Madrid Oslo Paris Rome Tokyo",
    "tool": "axe brush chisel drill file hammer ladder pliers ruler saw shovel wrench",
    "drink": "beer cider cocoa coffee juice milk rum soda tea vodka water wine",
    "sport": "boxing chess cricket football golf hockey judo rowing rugby tennis",
    "metal": "brass bronze copper iron lead mercury nickel silver steel tin zinc",
}


@schedule.scheduled
def stream(
    key_count: int = 3,
    updates: str | Sequence[int] = (1, 3, 8),
    train: int = 512,
    validation: int = task_makers.VALIDATION,
    test: int = task_makers.TEST,
    split_seed: int = 0,
) -> list[types.Task]:
    """The latest value of a key in a list of updates; a task per number of updates of a key.

    `key_count` keys are drawn for every item among those of VALUES, and each is updated as often as
    an entry of `updates` says (a sequence, or numbers with commas between). Values of a key do not
    repeat within an item. Items are drawn from `split_seed`. Raises StreamError for impossible
    options.
    """
    taken: set[str] = set()
    tasks = []
    for times in _numbers(updates):
        _check(key_count, times)
        name = f"updates_{times}"
        draw = functools.partial(item, keys=key_count, updates=times)
        size = train + validation + test
        items = generated.distinct(name, draw, size, seeds.derive(split_seed, name), taken)
        parts = splits.split(items, validation=validation, test=test, seed=split_seed)
        prompt = types.Prompt(INSTRUCTION)
        tasks.append(types.Task(name, *parts, scorers.exact_match, prompt, kind=skills.KIND))
    return tasks


def item(rng: np.random.Generator, keys: int, updates: int) -> types.Example:
    """Draw a stream of updates and the question for the current value of one of its keys."""
    chosen = [str(key) for key in rng.choice(list(VALUES), keys, replace=False)]
    values = {key: list(rng.permutation(values_of(key))[:updates]) for key in chosen}
    key_asked = chosen[0]
    current = str(values[key_asked][-1])
    order = rng.permutation(np.repeat(chosen, updates))
    lines = [f"{key}: {values[key].pop(0)}" for key in order]
    question = f"What is the current {key_asked}?"
    return types.Example("", "\n".join([*lines, question]), current, values_of(key_asked))


def values_of(key: str) -> tuple[str, ...]:
    """Return the values that a key can have."""
    return tuple(VALUES[key].split())


def most_updates() -> int:
    """Return how often any key can be updated without a value repeated."""
    return min(len(values_of(key)) for key in VALUES)


def _numbers(updates: str | Sequence[int]) -> list[int]:
    listed = updates.split(",") if isinstance(updates, str) else updates
    try:
        return [int(times) for times in listed]
    except ValueError as error:
        raise errors.StreamError(f"updates must be whole numbers: {error}") from error


def _check(keys: int, updates: int) -> None:
    most = most_updates()
    if not 1 <= keys <= len(VALUES):
        raise errors.StreamError(f"key_count must be from 1 to {len(VALUES)}, got {keys}")
    if not 1 <= updates <= most:
        raise errors.StreamError(f"updates must be from 1 to {most}, got {updates}")
