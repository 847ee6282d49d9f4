import collections
import random

import numpy as np
import pytest
from gepa import gepa_utils

from fastslow import types
from fastslow.fast import pareto, population


def member(name, *scores):
    return population.Member(
        types.Prompt(name), {f"e{number}": score for number, score in enumerate(scores)}
    )


def names(members):
    return [m.prompt.instruction for m in members]


def test_keep_drops_dominated_prompts_and_ranks_by_mean():
    members = [
        member("weak", 1, 0, 0, 0),
        member("left", 1, 1, 0, 0),
        member("right", 0, 1, 1, 1),
    ]
    assert names(pareto.keep(members, 4)) == ["right", "left"]


def test_keep_never_fills_up_with_dominated_prompts():
    assert names(pareto.keep([member("zero", 0, 0), member("all", 1, 1)], 2)) == ["all"]


def test_keep_of_equals_the_earlier():
    assert names(pareto.keep([member("old", 0, 1), member("new", 0, 1)], 2)) == ["old"]


def test_keep_caps_the_frontier():
    members = [member(str(i), *np.eye(5)[i]) for i in range(5)]
    assert names(pareto.keep(members, 3)) == ["0", "1", "2"]


def test_keep_needs_a_win_not_only_not_to_be_dominated():
    members = [member("a", 1.0, 0.0), member("b", 0.0, 1.0), member("compromise", 0.4, 0.4)]
    assert names(pareto.keep(members, 3)) == ["a", "b"]


def test_keep_holds_the_best_mean_even_if_it_is_best_nowhere():
    members = [member("even", 0.9, 0.9), member("left", 1.0, 0.0), member("right", 0.0, 1.0)]
    assert names(pareto.keep(members, 3)) == ["even", "left", "right"]
    assert names(pareto.keep(members, 1)) == ["even"]


def passes(rng, size):
    return rng.integers(0, 2, size).astype(float)


def grades(rng, size):
    return rng.random(size)


@pytest.mark.parametrize("draw", [passes, grades])
def test_keep_holds_the_best_mean_and_all_that_gepa_keeps(draw):
    rng = np.random.default_rng(0)
    gepa_lost_the_best = 0
    for _ in range(200):
        rows = draw(rng, (6, 8))
        members = [member(str(i), *row) for i, row in enumerate(rows)]
        means = rows.mean(axis=1)
        kept = {int(name) for name in names(pareto.keep(members, 6))}
        fronts = pareto.winners([m.scores for m in members])
        by_gepa = set(gepa_utils.find_dominator_programs(fronts, list(means)))
        distinct = {tuple(rows[i]) for i in by_gepa}
        assert distinct <= {tuple(rows[i]) for i in kept}
        assert means.max() == max(means[i] for i in kept)
        gepa_lost_the_best += means.max() > max(means[i] for i in by_gepa)
    assert gepa_lost_the_best  # the reason why `keep` is not gepa's own rule


def test_select_parent_draws_in_proportion_to_wins():
    members = [member("three", 1, 1, 1, 0), member("one", 0, 0, 0, 1), member("none", 0, 0, 0, 0)]
    rng = random.Random(0)
    drawn = collections.Counter(pareto.select_parent(members, rng) for _ in range(2000))
    assert set(drawn) == {0, 1}
    assert abs(drawn[0] / 2000 - 0.75) < 0.05
