"""When a cell has to wait for memory."""

import os

import pytest

from fastslow.sweep import memory


@pytest.mark.parametrize(
    ("need", "free", "held", "waits"),
    [
        (2e9, 2e9, [], False),
        (2e9, 1.9e9, [], True),
        (2e9, 4e9, [2e9], False),  # the running one has all it needs
        (2e9, 4e9, [3e9], False),  # more than expected: it does not give any back
        (2e9, 3.9e9, [0.0], True),  # the running one will still take two
        (2e9, 5e9, [0.0, 0.0], True),
    ],
)
def test_a_cell_waits_until_there_is_room_for_all_at_their_largest(need, free, held, waits):
    assert bool(memory.shortage(need, free, held)) == waits


def test_the_reason_has_both_figures():
    assert memory.shortage(3e9, 4e9, [1e9]) == (
        "waiting for memory: a cell needs 3.0 GB, 2.0 GB are left"
    )


def test_this_process_uses_memory_and_a_dead_one_none():
    assert 1e6 < memory.in_use(os.getpid()) < memory.total()
    assert 0 < memory.available() <= memory.total()
    assert memory.in_use(2**22 + 1) == 0  # above the largest pid of Linux
