"""From examples to a task: splits, seed prompt and scorer in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastslow import types
from fastslow.evaluation import scorers
from fastslow.streams import splits

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
