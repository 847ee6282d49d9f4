from fastslow.streams import plans


def test_blocked_teaches_one_task_after_the_other():
    assert plans.blocked(("a", "b"), 3) == ("a", "a", "a", "b", "b", "b")


def test_round_robin_takes_turns():
    assert plans.round_robin(("a", "b"), 3) == ("a", "b", "a", "b", "a", "b")


def test_repeated_goes_through_all_again():
    assert plans.repeated(("a", "a", "b"), 2) == ("a", "a", "b", "a", "a", "b")


def test_shuffled_is_a_permutation_that_depends_on_the_seed():
    names = tuple("abcdef")
    orders = {plans.shuffled(names, seed) for seed in range(10)}
    assert all(sorted(order) == list(names) for order in orders)
    assert len(orders) > 5
    assert plans.shuffled(names, 3) == plans.shuffled(names, 3)
