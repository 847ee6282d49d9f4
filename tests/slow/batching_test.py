"""Minibatches of a lesson and micro-batches of a step."""

import itertools

import numpy as np
import pytest

from fastslow.lm import batch as lm_batch
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


def unpacked(batch):
    """What a micro-batch says of every completion: (prefix, question, completion, ...)."""
    inputs = batch.inputs
    prefix = tuple(inputs.prefix[: inputs.prefix_length].tolist())
    tokens, _, sequences, branches = (np.ravel(part) for part in inputs.rows)
    row = np.arange(tokens.size) // inputs.rows.tokens.shape[1]
    predictors = inputs.predictors[: inputs.target_count]
    # A completion starts where the last token of a question predicts.
    starts = np.flatnonzero(branches[predictors] == lm_batch.TRUNK)
    for start, end in itertools.pairwise([*starts, len(predictors)]):
        first = predictors[start]
        same = (row == row[first]) & (sequences == sequences[first])
        question = tuple(tokens[same & (branches == lm_batch.TRUNK)].tolist())
        here = slice(start, end)
        assert batch.mask[here].all()
        advantage = set(batch.advantages[here].tolist())
        behaviour = tuple(batch.behaviour_logprobs[here].tolist())
        yield prefix, question, tuple(batch.tokens[here].tolist()), behaviour, *advantage


def expected(rows):
    for row in rows:
        advantage = float(np.float32(row.advantage))
        behaviour = tuple(row.behaviour_logprobs.tolist())
        yield row.request.prefix, row.request.question, row.tokens, behaviour, advantage


@pytest.mark.parametrize("micro_rows", [1, 2, 5, 100])
@pytest.mark.parametrize("questions", [None, 3])
def test_micro_batches_hold_every_completion_once_with_its_numbers(micro_rows, questions):
    rows = toy.rows(0, count=11, prefixes=3, questions=questions)
    batches = list(batching.micro_batches(rows, micro_rows))
    seen = [list(unpacked(batch)) for batch in batches]
    assert sorted(itertools.chain.from_iterable(seen)) == sorted(expected(rows))
    assert max(map(len, seen)) <= micro_rows
    for batch in batches:
        assert batch.mask.sum() == batch.inputs.target_count


def test_rows_with_one_question_share_its_tokens():
    rows = toy.rows(0, count=12, prefixes=1, questions=3)
    (batch,) = batching.micro_batches(rows, 12)
    sequences = np.asarray(batch.inputs.rows.sequences)
    assert len(np.unique(sequences[sequences != lm_batch.PADDING])) == 3
    questions = {row.request.question for row in rows}
    read = sum(map(len, questions)) + sum(len(row.tokens) - 1 for row in rows)
    assert batching.train_tokens([batch]) == read + len(rows[0].request.prefix)


def test_rows_of_similar_length_go_together():
    rows = toy.rows(0, count=40, prefixes=1)
    sizes = [
        [len(question) for _, question, *_ in unpacked(batch)]
        for batch in batching.micro_batches(rows, 10)
    ]
    assert len(sizes) == 4
    flat = list(itertools.chain.from_iterable(sizes))
    assert flat == sorted(flat)


def test_train_tokens_count_a_prefix_once_per_micro_batch():
    rows = toy.rows(0, count=10, prefixes=2)  # five rows each
    counts = [batching.train_tokens(batching.micro_batches(rows, size)) for size in (5, 4)]
    prefixes = {row.request.prefix for row in rows}
    # A fourth of five rows may have taken its question along.
    assert counts[1] - counts[0] >= sum(len(prefix) for prefix in prefixes)
