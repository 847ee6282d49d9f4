"""The benchmark compares like with like, and runs."""

from __future__ import annotations

import functools

import jax
import numpy as np
from absl import flags
from absl.testing import flagsaver

from benchmarks import engine as benchmark
from benchmarks import naive
from fastslow.lm import decoder, packing
from tests.lm import small


def test_the_naive_peer_computes_the_same_logits():
    rng = np.random.default_rng(0)
    prefix, question, completion = (rng.integers(0, 61, n) for n in (5, 4, 3))
    variables = {"params": small.params(), "lora": small.lora()}
    row = np.concatenate([prefix, question, completion])[None]
    theirs = jax.jit(functools.partial(naive.completion_logits, small.CONFIG, 3))(variables, row)
    rows = packing.token_batch(prefix, [question], [[completion]])
    ours = jax.jit(functools.partial(decoder.completion_logits, small.CONFIG))(variables, rows)
    np.testing.assert_allclose(theirs[0], ours[:3], atol=1e-4)


def test_the_naive_peer_decodes_what_its_logits_say():
    params = jax.tree.map(lambda leaf: 4 * leaf, small.params())  # so peaked as to be greedy
    prompt = np.random.default_rng(0).integers(0, 61, (2, 6))
    generate = jax.jit(functools.partial(naive.generate, small.CONFIG, 3))
    tokens = np.asarray(generate({"params": params}, prompt, jax.random.key(0)))
    rows = np.concatenate([prompt, tokens], axis=1)
    logits = naive.completion_logits(small.CONFIG, 3, {"params": params}, rows)
    assert np.mean(np.argmax(logits, -1) == tokens) > 0.5


def test_the_benchmark_prints_a_line_per_contender(capsys):
    sizes = {"rows": 4, "answers": 2, "prefix": 3, "question": 4, "completion": 2, "repeats": 1}
    sizes |= {"new_tokens": 2}
    flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(model="tiny-random", **sizes):
        benchmark.main([])
    table = capsys.readouterr().out.partition("prompt tok/s")[2]
    assert "engine" in table
    assert "naive" in table
