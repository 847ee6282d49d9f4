"""Which requests run together."""

from __future__ import annotations

import numpy as np

from fastslow.lm import chunks


def plan(prefixes, questions, **settings):
    lengths = [len(question) for question in questions]
    return chunks.plan(prefixes, questions, lengths, chunks.Settings(**settings))


def test_every_request_once_grouped_by_prefix_longest_first():
    rng = np.random.default_rng(0)
    prefixes = [(int(i),) for i in rng.integers(0, 3, 40)]
    questions = [(0,) * int(n) for n in rng.integers(1, 30, 40)]
    groups = plan(prefixes, questions, max_rows=4)
    assert [group.prefix for group in groups] == list(dict.fromkeys(prefixes))
    assert sorted(i for g in groups for chunk in g.chunks for i in chunk) == list(range(40))
    for group in groups:
        assert all(prefixes[i] == group.prefix for chunk in group.chunks for i in chunk)
        lengths = [len(questions[i]) for chunk in group.chunks for i in chunk]
        assert lengths == sorted(lengths, reverse=True)
        assert all(len(chunk) == 4 for chunk in group.chunks[:-1])


def test_chunks_bound_their_tokens_and_hold_at_least_one_row():
    questions = [(0,) * n for n in (500, 90, 90, 90, 20, 20, 20)]
    (group,) = plan([()] * 7, questions, max_tokens_at_once=200)
    assert [[len(questions[i]) for i in chunk] for chunk in group.chunks] == [
        *([500], [90, 90], [90, 20, 20, 20])
    ]


def test_equal_questions_stand_together():
    questions = [(1,), (2,), (1,), (2,), (1,)]
    (group,) = plan([()] * 5, questions)
    assert group.chunks == [[0, 2, 4, 1, 3]]
