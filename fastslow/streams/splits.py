"""Seeded preparation of examples: drop duplicates, balance labels, split without leaks."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fastslow import seeds, texts, types
from fastslow.streams import errors

Examples: TypeAlias = tuple[types.Example, ...]
Group: TypeAlias = Callable[[types.Example], str]  # examples of one group stay in one split


class Splits(NamedTuple):
    """Disjoint parts of a data set."""

    train: Examples
    validation: Examples
    test: Examples


def normalised_input(example: types.Example) -> str:
    """Return the input text without differences of case and white space."""
    return texts.normalised(example.input)


def distinct(examples: Iterable[types.Example]) -> Examples:
    """Keep the first of the examples whose normalised inputs are equal."""
    first: dict[str, types.Example] = {}
    for example in examples:
        first.setdefault(normalised_input(example), example)
    return tuple(first.values())


def capped(examples: Sequence[types.Example], per_target: int, seed: int) -> Examples:
    """Keep at most `per_target` examples of each target, drawn from `seed`, in their old order."""
    rows_of: dict[str, list[int]] = collections.defaultdict(list)
    for row, example in enumerate(examples):
        rows_of[example.target].append(row)
    kept: list[int] = []
    for target, rows in rows_of.items():
        rng = np.random.default_rng(seeds.derive(seed, "cap", target))
        kept += rng.permutation(rows).tolist()[:per_target]
    return tuple(examples[row] for row in sorted(kept))


def split(
    examples: Sequence[types.Example],
    *,
    validation: int,
    test: int,
    seed: int,
    group: Group = normalised_input,
) -> Splits:
    """Split at random, but never across a group; what test and validation leave is for training.

    Test and validation hold exactly `test` and `validation` examples: what is over of the last
    group taken is dropped. Answers are spread over validation, of which schedulers and the choice
    of prompts measure on a part. Raises StreamError if that leaves nothing to train on.
    """
    if validation < 1 or test < 1:
        raise errors.StreamError(
            f"validation and test need an example each, got {validation}, {test}"
        )
    groups: dict[str, list[types.Example]] = collections.defaultdict(list)
    for example in examples:
        groups[group(example)].append(example)
    keys = list(groups)
    order = [keys[i] for i in np.random.default_rng(seed).permutation(len(keys))]
    for_test, order = _take(groups, order, test)
    for_validation, order = _take(groups, order, validation)
    train = tuple(example for key in order for example in groups[key])
    if not train:
        raise errors.StreamError(
            f"{len(examples)} examples are too few for {validation} to validate, {test} to test"
            " and some to train on"
        )
    targets = [example.target for example in for_validation]
    rows = spread(targets, np.random.default_rng(seeds.derive(seed, "validation")))
    return Splits(train, tuple(for_validation[row] for row in rows), for_test)


def spread(answers: Sequence[Any], rng: np.random.Generator) -> list[int]:
    """Return a random permutation of the indices with every answer spread evenly over it.

    The k-th of the n places of an answer is (k + u) / n of the way, u drawn once per answer.
    """
    rows_of: dict[Any, list[int]] = collections.defaultdict(list)
    for row in rng.permutation(len(answers)).tolist():
        rows_of[answers[row]].append(row)
    placed: list[tuple[float, int]] = []
    for rows in rows_of.values():
        offset = rng.random()
        placed += [((k + offset) / len(rows), row) for k, row in enumerate(rows)]
    return [row for _, row in sorted(placed)]


def balanced(examples: Sequence[types.Example], seed: int) -> Examples:
    """Keep of each target as many examples as the rarest has, drawn from `seed`."""
    counts = collections.Counter(example.target for example in examples)
    return capped(examples, min(counts.values(), default=0), seed)


def stratified(
    examples: Sequence[types.Example], *, validation: int, test: int, seed: int
) -> Splits:
    """Split so that every target has the same share of validation and of test, give or take one.

    What they leave is for training. Raises StreamError if a target is left with nothing.
    """
    by_target: dict[str, list[types.Example]] = collections.defaultdict(list)
    for example in examples:
        by_target[example.target].append(example)
    if min(validation, test) < len(by_target):
        raise errors.StreamError(
            f"validation and test need an example of each of {len(by_target)} answers, got"
            f" {validation}, {test}"
        )
    parts = [
        split(
            part,
            validation=_share(validation, place, len(by_target)),
            test=_share(test, place, len(by_target)),
            seed=seeds.derive(seed, "target", target),
        )
        for place, (target, part) in enumerate(by_target.items())
    ]
    rng = np.random.default_rng(seed)
    train, validation_part, test_part = (
        [example for part in of_targets for example in part]
        for of_targets in zip(*parts, strict=True)
    )
    return Splits(
        _mixed(train, rng),
        _spread(validation_part, rng),  # gains and prompts are measured on parts of it
        _mixed(test_part, rng),
    )


def dealt(examples: Iterable[types.Example], hands: int) -> tuple[Examples, ...]:
    """Deal the examples to `hands` in turn, those of each target by themselves; order is kept."""
    dealt_of: collections.Counter[str] = collections.Counter()
    held: list[list[types.Example]] = [[] for _ in range(hands)]
    for example in examples:
        held[dealt_of[example.target] % hands].append(example)
        dealt_of[example.target] += 1
    return tuple(map(tuple, held))


def _share(total: int, place: int, parts: int) -> int:
    return total // parts + (place < total % parts)


def _mixed(examples: Sequence[types.Example], rng: np.random.Generator) -> Examples:
    return tuple(examples[i] for i in rng.permutation(len(examples)))


def _spread(examples: Sequence[types.Example], rng: np.random.Generator) -> Examples:
    return tuple(examples[i] for i in spread([e.target for e in examples], rng))


def _take(
    groups: dict[str, list[types.Example]], order: list[str], size: int
) -> tuple[Examples, list[str]]:
    """Take whole groups from the front of `order` until there are `size` examples."""
    taken: list[types.Example] = []
    used = 0
    while len(taken) < size and used < len(order):
        taken += groups[order[used]]
        used += 1
    return tuple(taken[:size]), order[used:]
