"""Sampling against the distribution it claims to draw from."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastslow.lm import sampling
from tests.lm import numpy_decoder

choose = jax.jit(sampling.choose)
ROWS = 20_000


@pytest.mark.parametrize("vocabulary", [2, 10, 11, 16, 17])
def test_greedy_takes_the_first_largest_logit(vocabulary):
    logits = np.random.default_rng(0).normal(size=(50, vocabulary)).astype(np.float32)
    logits[0] = 1.0
    tokens, logprobs = choose(logits, jnp.zeros(50, jnp.uint32), 0, 0.0)
    np.testing.assert_array_equal(tokens, logits.argmax(-1))
    expected = numpy_decoder.log_softmax(np.asarray(logits, np.float64))
    np.testing.assert_allclose(logprobs, expected[np.arange(50), tokens], rtol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_frequencies_are_the_tempered_softmax(temperature):
    logits = np.random.default_rng(1).normal(scale=2.0, size=11).astype(np.float32)
    tokens, logprobs = choose(
        np.tile(logits, (ROWS, 1)), jnp.arange(ROWS, dtype=jnp.uint32), 3, temperature
    )
    expected = ROWS * numpy_decoder.softmax(np.asarray(logits, np.float64) / temperature)
    counts = np.bincount(tokens, minlength=11)
    statistic = np.sum((counts - expected) ** 2 / expected)
    assert statistic < 29.6  # chi-squared, 10 degrees of freedom, p = 0.001
    untempered = numpy_decoder.log_softmax(np.asarray(logits, np.float64))
    np.testing.assert_allclose(logprobs, untempered[np.asarray(tokens)], rtol=1e-5)


def test_steps_and_seeds_are_independent_draws():
    logits = np.zeros((ROWS, 4), np.float32)
    seeds = jnp.arange(ROWS, dtype=jnp.uint32)
    first, second = (np.asarray(choose(logits, seeds, step, 1.0)[0]) for step in (0, 1))
    table = np.zeros((4, 4))
    np.add.at(table, (first, second), 1)
    assert np.sum((table - ROWS / 16) ** 2 / (ROWS / 16)) < 37.7  # 15 degrees, p = 0.001
    neighbours = np.zeros((4, 4))
    np.add.at(neighbours, (first[:-1], first[1:]), 1)
    assert np.sum((neighbours - ROWS / 16) ** 2 / (ROWS / 16)) < 37.7
