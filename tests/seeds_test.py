from fastslow import seeds


def test_same_path_same_seed():
    assert seeds.derive(1, "lesson", 2) == seeds.derive(1, "lesson", 2)


def test_every_part_of_the_path_matters():
    paths = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a", "1"), (0, "a", 2), (0, 1, "a")]
    assert len({seeds.derive(*path) for path in paths}) == len(paths)


def test_range_is_that_of_an_int32_and_is_used():
    drawn = [seeds.derive(7, i) for i in range(2000)]
    assert min(drawn) >= 0
    assert max(drawn) < 2**31
    assert max(drawn) > 2**30
    assert len(set(drawn)) > 1990
