import math

import numpy as np
import pytest

from fastslow import validation


def known(**rewards):
    return {
        name: validation.Result(tuple(map(float, values)), math.nan)
        for name, values in rewards.items()
    }


def test_a_change_is_the_mean_over_tasks_whatever_their_sizes():
    before = known(red=(0, 0), green=(1, 1, 1, 1), blue=(1,))
    after = known(red=(1, 1), green=(1, 1, 1, 0), blue=(0,))
    assert validation.change(before, after, ("red", "green")).mean == (1 - 0.25) / 2
    assert validation.change(before, after, ("blue",)) == (-1, 0)


def test_answers_that_stay_make_no_error():
    before, after = known(red=(0, 1, 1)), known(red=(0, 1, 1))
    assert validation.change(before, after, ("red",)) == (0, 0)


def test_the_error_is_the_spread_of_changes_over_draws_of_examples():
    rng = np.random.default_rng(0)
    sizes = {"red": 48, "green": 32}

    def drawn():
        old, new = {}, {}
        for name, size in sizes.items():
            old[name] = rng.random(size) < 0.5
            flips = rng.random(size) < 0.2
            new[name] = old[name] ^ flips
        return validation.change(known(**old), known(**new), tuple(sizes))

    changes = [drawn() for _ in range(4000)]
    spread = np.std([change.mean for change in changes])
    told = math.sqrt(np.mean([change.error**2 for change in changes]))
    assert told == pytest.approx(spread, rel=0.04)
