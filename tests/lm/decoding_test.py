"""What the decoding program holds in memory besides its arguments."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from fastslow.lm import batch, decoder, decoding
from tests.lm import small


def test_decoding_copies_no_table_of_embeddings():
    """The loop reads it by rows and by columns, and a compiler may do either to all of it first."""
    shape = dataclasses.replace(small.CONFIG, vocab_size=1 << 14, width=512)
    variables = {"params": decoder.init(shape, 0, jnp.dtype("bfloat16"))}

    def sample(variables):
        prefix = decoder.prefill_prefix(shape, variables, np.arange(8), np.int32(5))
        rows = batch.plain_rows(np.ones((2, 4), np.int32), np.array([4, 3], np.int32))
        questions = decoding.Questions(np.array([3, 6]), np.array([4, 3], np.int32))
        return decoding.prefill_questions(shape, 4, variables, prefix, rows, questions)

    prefilled, layers = jax.eval_shape(
        lambda x: (sample(x), decoding.unstack_layers(shape, x)), variables
    )
    options = decoding.SamplingOptions(
        np.arange(2, dtype=np.uint32), np.float32(1), np.int32(4), np.zeros(1, np.int32)
    )
    decode = jax.jit(functools.partial(decoding.decode, shape, 4))
    compiled = decode.lower(variables, layers, prefilled, options).compile()
    table = variables["params"]["embed"]["embedding"].nbytes
    assert compiled.memory_analysis().temp_size_in_bytes < table / 2
