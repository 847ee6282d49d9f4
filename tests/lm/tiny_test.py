from __future__ import annotations

import functools

import jax
import numpy as np

from fastslow import types
from fastslow.lm import decoder, loading, packing, tiny


def test_it_is_always_the_same_model():
    first, second = tiny.read("float32"), tiny.read("float32")
    jax.tree.map(np.testing.assert_array_equal, first.params, second.params)
    assert tiny.digest() == tiny.digest()
    assert sum(leaf.size for leaf in jax.tree.leaves(first.params)) < 150_000


def test_it_says_a_few_letters_and_digits_and_then_ends():
    """The distributions of the first and the second token, for some questions."""
    model = loading.load("tiny-random", dtype="float32")
    words = ("a", "sad", "12?", "b b b", "0", "zebra", "What?", "xyz 3")
    rendered = [model.chat.encode([types.Message("user", word)]) for word in words]
    one, *digits_and_letters = map(
        model.chat.tokenizer.token_to_id, "1023456789abcdefghijklmnopqrstuvwxyz"
    )
    rows = packing.token_batch(
        rendered[0].prefix,
        [item.question for item in rendered],
        [[[one, model.chat.end_of_turn]]] * len(words),
    )
    forward = jax.jit(functools.partial(decoder.completion_logits, model.config))
    logits = forward({"params": model.params}, rows)[: 2 * len(words)].reshape(len(words), 2, -1)
    first, second = np.moveaxis(np.asarray(jax.nn.softmax(logits)), 1, 0)
    assert first[:, [one, *digits_and_letters]].sum(axis=1).min() > 0.5
    assert first[:, one].min() > 0.005
    assert first.max() < 0.5
    assert first[:, model.chat.end_of_turn].max() < 0.1
    assert second[:, model.chat.end_of_turn].mean() > 0.04
    assert len(set(first.argmax(axis=1))) > 1  # greedy answers depend on the question
