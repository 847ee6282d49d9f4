"""Procedural reasoning tasks with verifiers, from the optional package reasoning-gym 0.1.25."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from fastslow import registry, types
from fastslow.evaluation import scorers
from fastslow.streams import errors, schedule, splits
from fastslow.streams import tasks as task_makers

PASSING = 0.999  # the verifier's score from which an answer is right; below, it is partial credit
INSTRUCTION = "Answer with the final answer only."

# Their generators iterate over sets of texts, whose order is another one in each process.
_HASH_ORDERED = frozenset(
    {"isomorphic_strings", "knight_swap", "polynomial_multiplication", "ransom_note", "word_ladder"}
)
_JUNK = "I do not know."


@schedule.scheduled
def stream(
    tasks: str | Sequence[str],
    train: int = 512,
    validation: int = task_makers.VALIDATION,
    test: int = task_makers.TEST,
    split_seed: int = 0,
) -> list[types.Task]:
    """Procedural reasoning tasks with verifiers (needs the extra `gym`).

    `tasks` names data sets of reasoning-gym, as a sequence or with commas between. An answer is
    right where the verifier gives it full marks. Items are drawn from `split_seed`. Raises
    StreamError where the package is missing or a data set cannot be used.
    """
    gym = _package()
    made = []
    for name in task_makers.listed(tasks):
        dataset = _dataset(gym, name, train + validation + test, split_seed)
        items, scorer = _items(name, dataset)
        made.append(
            task_makers.make(
                name,
                splits.distinct(items),
                INSTRUCTION,
                validation=validation,
                test=test,
                split_seed=split_seed,
                scorer=scorer,
            )
        )
    return made


def verifier(dataset: Any, entries: Mapping[str, Mapping[str, Any]]) -> types.Scorer:
    """Return the scorer that asks the verifier of `dataset` about `entries`, which are by id.

    An answer on which the verifier raises is wrong: several parse without care.
    """

    def score(prediction: str, example: types.Example) -> types.Score:
        try:
            passed = dataset.score_answer(prediction.strip(), entries[example.id]) >= PASSING
        except Exception:  # whatever a parser of somebody else's may raise on junk
            passed = False
        if passed:
            return types.Score(1.0, "correct")
        return types.Score(0.0, scorers.exact_match(prediction, example).feedback)

    return score


def _package() -> Any:
    try:
        return importlib.import_module("reasoning_gym")
    except ModuleNotFoundError as error:
        raise errors.StreamError(
            "this stream needs the package reasoning-gym: pip install 'fastslow[gym]'"
        ) from error


def _dataset(gym: Any, name: str, size: int, seed: int) -> Any:
    """Create a data set; raise StreamError where it would differ from process to process."""
    if name not in gym.factory.DATASETS:
        raise registry.unknown("reasoning_gym task", name, gym.factory.DATASETS)
    if name in _HASH_ORDERED and os.environ.get("PYTHONHASHSEED", "random") == "random":
        raise errors.StreamError(
            f"reasoning_gym task {name!r} depends on Python's hash seed: set PYTHONHASHSEED=0 in"
            " the environment, or a resumed run would see other items"
        )
    try:
        return gym.create_dataset(name, size=size, seed=seed)
    except (AssertionError, ValueError) as error:
        raise errors.StreamError(f"reasoning_gym task {name!r}: {error}") from error


def _items(name: str, dataset: Any) -> tuple[list[types.Example], types.Scorer]:
    """Return examples and scorer; raise StreamError where the reference answer does not pass.

    A verifier that passes junk is replaced by exact match.
    """
    entries = {f"{name}-{row}": dataset[row] for row in range(len(dataset))}
    score = verifier(dataset, entries)
    items = [
        types.Example(identity, entry["question"].strip(), str(entry["answer"]))
        for identity, entry in entries.items()
    ]
    if any(score(_JUNK, item).value for item in items):
        return items, scorers.exact_match
    if not all(score(item.target, item).value for item in items):
        raise errors.StreamError(
            f"reasoning_gym task {name!r} has no reference answers to learn from"
        )
    return items, score
