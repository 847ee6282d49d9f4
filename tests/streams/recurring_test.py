import collections
import itertools

import numpy as np
import pytest

from fastslow import registry, streams, types
from fastslow.streams import errors, recurring

NAMES = ("word_class", "food", "heart_disease")


def build(seed=0, order_seed=0, **options):
    options = {"tasks": NAMES, "test": 20, "validation": 10, **options}
    return streams.build("recurring", options, seed=seed, order_seed=order_seed)


@pytest.mark.parametrize(("exponent", "longest"), [(1.5, 16), (1.0, 8), (2.5, 30), (0.0, 4)])
def test_intervals_follow_the_law(exponent, longest):
    count = 20_000
    weights = [t**-exponent for t in range(1, longest + 1)]
    found = collections.Counter(recurring.intervals(count, exponent, longest, seed=1))
    assert set(found) <= set(range(1, longest + 1))
    for t, weight in enumerate(weights, start=1):
        expected = count * weight / sum(weights)
        assert abs(found[t] - expected) < 5 * np.sqrt(expected)


def test_the_slope_on_logarithmic_axes_is_the_exponent():
    found = collections.Counter(recurring.intervals(200_000, 1.5, 16, seed=2))
    times = np.arange(1, 17)
    slope, _ = np.polyfit(np.log(times), np.log([found[t] for t in times]), 1)
    assert slope == pytest.approx(-1.5, abs=0.05)


def test_times_are_sums_of_intervals_from_staggered_starts():
    gaps = {"a": (1, 5), "b": (), "c": (2,)}
    assert recurring.times(gaps) == {"a": (0, 1, 6), "b": (1,), "c": (2, 4)}
    plan = recurring.plan(gaps, order_seed=0)
    assert plan[0] == "a"
    assert sorted(plan[1:3]) == ["a", "b"]  # both are due at time 1
    assert plan[3:] == ("c", "c", "a")


def test_the_intervals_in_the_plan_are_those_drawn_where_one_task_is_alone():
    gaps = {"a": recurring.intervals(300, 1.5, 16, seed=0)}
    (times,) = recurring.times(gaps).values()
    assert tuple(b - a for a, b in itertools.pairwise(times)) == gaps["a"]
    assert recurring.plan(gaps, order_seed=0) == ("a",) * 301


def test_one_offs_come_once_and_the_others_as_often_as_asked():
    for seed in range(5):
        counts = collections.Counter(build(seed, lessons_per_task=5, one_offs=2).plan)
        assert sorted(counts.values()) == [1, 1, 5]
    once = {
        min(NAMES, key=collections.Counter(build(seed, lessons_per_task=5).plan).__getitem__)
        for seed in range(8)
    }
    assert len(once) > 1  # it depends on the seed which one it is
    assert set(collections.Counter(build(one_offs=0).plan).values()) == {4}
    assert sorted(collections.Counter(build(one_offs=9).plan).values()) == [1, 1, 4]


def test_the_order_seed_moves_the_encounters():
    plans = {build(order_seed=n, lessons_per_task=20).plan for n in range(5)}
    assert len(plans) == 5
    assert len({tuple(sorted(plan)) for plan in plans}) == 1


def test_the_inner_stream_decides_what_is_taught_and_all_is_evaluated():
    stream = streams.build("recurring:flip_flop", {"train": 20, "validation": 4, "test": 6})
    assert set(stream.plan) == {"flip_flop"}
    assert len(stream.plan) == 4
    first = next(iter(stream.events()))
    assert isinstance(first, types.EvaluationPoint)
    assert first.tasks == ("flip_flop", "flip_flop_sparse", "flip_flop_dense")


def test_options_of_both_streams_are_known():
    names = streams.option_names("recurring:conventions")
    assert {"exponent", "one_offs", "skill", "conventions", "lessons_per_task"} <= names
    assert {"options", "seed", "tasks"}.isdisjoint(names)
    assert "tasks" in streams.option_names("recurring")
    assert "skill" in streams.option_names("recurring", {"stream": "conflicting"})
    assert set(streams.build("recurring", {"stream": "flip_flop", "train": 9}).plan) == {
        "flip_flop"
    }
    assert streams.option_names("evals_short") >= {"tasks", "taught"}


def test_wrong_options_are_named():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'evals_short'"):
        streams.build("recurring:eval_short")
    with pytest.raises(registry.UnknownNameError, match="did you mean 'exponent'"):
        build(exponnt=2.0, tasks=("food",))
    with pytest.raises(errors.StreamError, match="one_offs must not be negative"):
        build(one_offs=-1)
    with pytest.raises(errors.StreamError, match="longest must be a positive integer"):
        build(longest=0)
