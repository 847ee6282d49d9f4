"""The score of always giving the same answer: what a model that collapsed to one label gets."""

from __future__ import annotations

import collections
from typing import Any, NamedTuple

from fastslow import types
from fastslow.evaluation import scorers

_CANDIDATES = 20  # most frequent targets tried: a scorer may be slow, and rarer ones are no threat


class Constant(NamedTuple):
    """An answer and its mean score in [0, 1] on a test split."""

    answer: Any
    score: float


def best(task: types.Task) -> Constant:
    """Return the constant answer that scores best on the task's test split, by its own scorer.

    Tried are the most frequent targets of the split; of equally good ones the more frequent, then
    the earlier is returned. Without any target the score is NaN.
    """
    targets = [target for e in task.test if (target := getattr(e, "target", None)) is not None]
    tried = [answer for answer, _ in collections.Counter(targets).most_common(_CANDIDATES)]
    constants = (Constant(answer, _score(task, answer)) for answer in tried)
    return max(constants, key=lambda c: c.score, default=Constant(None, float("nan")))


def _score(task: types.Task, answer: Any) -> float:
    scores = [scorers.score(task.scorer, answer, example).value for example in task.test]
    return sum(scores) / len(scores)
