import random

import pytest

from fastslow.fast.proposers import contracts, demonstrations
from tests.fast import toy

CONTEXT = contracts.Context(toy.examples(18, 1), (), contracts.Limits(4, 0, 400))


@pytest.mark.parametrize(("size", "shown"), [(None, 4), (1, 1), (3, 3), (9, 4)])
def test_as_many_are_shown_as_asked_for_and_allowed(size, shown):
    propose = demonstrations.build(size)
    proposal = propose(toy.SEED, [], CONTEXT, random.Random(0))
    assert len(proposal.prompt.demos) == shown


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_that_shows_nothing_is_refused(size):
    with pytest.raises(ValueError, match=f"a size of 1 or more, got {size}"):
        demonstrations.build(size)
