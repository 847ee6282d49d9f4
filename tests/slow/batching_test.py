"""Minibatches of a lesson and micro-batches of a step."""

import numpy as np
import pytest

from fastslow.slow import batching
from tests.slow import toy


@pytest.mark.parametrize(("count", "steps"), [(12, 4), (13, 4), (4, 4), (5, 1)])
def test_minibatches_are_contiguous_and_use_every_example_once(count, steps):
    parts = list(batching.minibatches(tuple(range(count)), steps))
    assert len(parts) == steps
    assert [item for part in parts for item in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_more_steps_than_examples_start_over():
    assert list(batching.minibatches((0, 1, 2), 5)) == [(0,), (1,), (2,), (0,), (1,)]


def test_micro_batches_hold_every_row_once_with_its_numbers():
    rows = toy.rows(0, count=11, prefixes=3)
    seen = []
    for batch in batching.micro_batches(rows, 2):
        inputs = batch.inputs
        prefix = tuple(inputs.prefix[: inputs.prefix_length].tolist())
        used = np.flatnonzero(inputs.completion_length)
        assert 1 <= len(used) <= 2
        assert not batch.mask[len(used) :].any()
        for row in used:
            length = inputs.completion_length[row]
            assert batch.mask[row].tolist() == [i < length for i in range(batch.mask.shape[1])]
            question = inputs.question[row][-inputs.question_length[row] :]
            numbers = (question, batch.tokens[row, :length], batch.behaviour_logprobs[row, :length])
            seen.append((prefix, *(tuple(x.tolist()) for x in numbers), batch.advantages[row]))
    wanted = [
        (
            row.request.prefix,
            row.request.question,
            row.tokens,
            tuple(row.behaviour_logprobs.tolist()),
            np.float32(row.advantage),
        )
        for row in rows
    ]
    assert sorted(seen) == sorted(wanted)


def test_rows_of_similar_length_go_together():
    rows = toy.rows(0, count=40, prefixes=1)
    sizes = [
        [len(row.request.question) + len(row.tokens) for row in part]
        for part in _unpacked(rows, 10)
    ]
    assert [size for part in sizes for size in part] == sorted(s for p in sizes for s in p)


def test_train_tokens_count_a_prefix_once_per_micro_batch():
    rows = toy.rows(0, count=10, prefixes=2)  # five rows each
    own = sum(len(row.request.question) + len(row.tokens) for row in rows)
    prefixes = {row.request.prefix for row in rows}
    once = sum(len(prefix) for prefix in prefixes)
    assert batching.train_tokens(rows, 5) == own + once
    assert batching.train_tokens(rows, 4) == own + 2 * once


def _unpacked(rows, micro_rows):
    lookup = {(row.request.question, row.tokens): row for row in rows}
    for batch in batching.micro_batches(rows, micro_rows):
        i = batch.inputs
        yield [
            lookup[
                tuple(i.question[r][-i.question_length[r] :].tolist()),
                tuple(i.completion[r][: i.completion_length[r]].tolist()),
            ]
            for r in np.flatnonzero(i.completion_length)
        ]
