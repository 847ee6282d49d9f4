"""Selection of parents and survivors by reward on single examples (GEPA, arXiv 2507.19457).

This is the only module that uses the gepa package, and it uses one function of it. The rest of gepa
0.1.4 does not suit a light round on moving weights: its engine and `dspy.GEPA` keep scores of old
weights, overshoot their budget and store pickles, and `ReflectiveMutationProposer` knows neither
budgets nor held-out examples.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from gepa import gepa_utils

from fastslow.fast import population


def select_parent(members: Sequence[population.Member], rng: random.Random) -> int:
    """Draw the index of a parent, in proportion to the examples it is best on (GEPA's rule)."""
    means = [member.mean for member in members]
    fronts = winners([member.scores for member in members])
    index: int = gepa_utils.select_program_candidate_from_pareto_front(fronts, means, rng)
    return index


def keep(members: Sequence[population.Member], size: int) -> tuple[population.Member, ...]:
    """Return the `size` best of the Pareto frontier, best mean first; fewer if it has fewer.

    The frontier: the best mean, and all that are best on at least one example and dominated by no
    other prompt (as good everywhere, better somewhere; of equals the earlier stays). Answers are
    given with the best mean, which with graded rewards may be best on no single example. The gepa
    package removes more: every prompt whose examples are also won by others.
    """
    scores = [member.scores for member in members]
    best_mean = max(range(len(members)), key=lambda index: members[index].mean)
    best_somewhere = set().union(*winners(scores).values())
    frontier = [
        member
        for index, member in enumerate(members)
        if index == best_mean or (index in best_somewhere and not _dominated(index, scores))
    ]
    return tuple(sorted(frontier, key=lambda member: -member.mean)[:size])


def winners(scores: Sequence[Mapping[str, float]]) -> dict[str, set[int]]:
    """Return for each example the indices of those with the highest score on it."""
    fronts = {}
    for key in scores[0]:
        best = max(row[key] for row in scores)
        fronts[key] = {index for index, row in enumerate(scores) if row[key] == best}
    return fronts


def _dominated(index: int, scores: Sequence[Mapping[str, float]]) -> bool:
    own = scores[index]
    return any(
        all(other[key] >= own[key] for key in own) and (other != own or rival < index)
        for rival, other in enumerate(scores)
        if rival != index
    )
