"""The decoder against a plain float64 one; its shared prefix, gradients and low-rank deltas."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastslow.lm import batch, config, decoder, native, packing
from tests.lm import numpy_decoder, small
from tests.lm.config_test import LLAMA3

VARIANTS = {
    "llama": {},
    "untied": {"tied": False},
    "no_groups": {"kv_heads": 4},
    "qwen2": {"qkv_bias": True},
    "qwen3": {"qk_norm": True, "tied": False},
    "linear": {"rope": config.Rope(100.0, "linear", (("factor", 4.0),))},
    "llama3": {"rope": config.Rope(100.0, "llama3", LLAMA3)},
    "yarn": {
        "rope": config.Rope(
            100.0, "yarn", (("factor", 4.0), ("original_max_position_embeddings", 128.0))
        )
    },
    "factors": {"rope": config.Rope(100.0, "factors", (), (1.0, 1.5, 3.0, 4.0))},
}
LENGTHS = ((3, 4), (5, 2), (1, 6))  # question, completion
TOLERANCE = 5e-5  # of logits with standard deviation about 4, in float32


def example(seed: int = 0) -> tuple[tuple, list, list]:
    rng = np.random.default_rng(seed)
    return (
        small.tokens(rng, 11),
        [small.tokens(rng, q) for q, _ in LENGTHS],
        [small.tokens(rng, n) for _, n in LENGTHS],
    )


def packed(prefix, questions, completions, buckets=batch.BUCKETS) -> batch.TokenBatch:
    """One completion per question."""
    return packing.token_batch(prefix, questions, [[c] for c in completions], buckets)


@functools.cache
def forward(shape: config.DecoderConfig):
    return jax.jit(functools.partial(decoder.completion_logits, shape))


def relevant(logits, completions) -> list[np.ndarray]:
    """The logits that predict real tokens, completion by completion."""
    ends = np.cumsum([len(completion) for completion in completions])
    return np.split(np.asarray(logits)[: ends[-1]], ends[:-1])


@pytest.mark.parametrize("name", VARIANTS)
def test_logits_behind_a_shared_prefix_are_those_of_the_full_sequence(name):
    shape = dataclasses.replace(small.CONFIG, **VARIANTS[name])
    params = small.params(shape)
    prefix, questions, completions = example()
    logits = forward(shape)({"params": params}, packed(prefix, questions, completions))
    assert logits.dtype == jnp.float32
    assert np.isfinite(logits).all()
    rows = zip(relevant(logits, completions), questions, completions, strict=True)
    for found, question, completion in rows:
        whole = numpy_decoder.logits(shape, params, [*prefix, *question, *completion])
        start = len(prefix) + len(question) - 1
        expected = whole[start : start + len(completion)]
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_the_variants_differ():
    """Otherwise the test above would not notice a variant that is ignored."""
    prefix, questions, completions = example()
    sequence = [*prefix, *questions[0], *completions[0]]
    params = small.params(dataclasses.replace(small.CONFIG, qkv_bias=True, qk_norm=True))
    plain = numpy_decoder.logits(small.CONFIG, params, sequence)
    for name in ("qwen3", "linear", "llama3", "yarn", "factors"):
        shape = dataclasses.replace(small.CONFIG, **{**VARIANTS[name], "tied": True})
        assert np.abs(numpy_decoder.logits(shape, params, sequence) - plain).max() > 0.01


def test_padding_does_not_change_logits():
    variables = {"params": small.params()}
    prefix, questions, completions = example()
    both = [
        packed(
            prefix,
            questions,
            completions,
            batch.BatchBuckets(
                *(batch.Buckets(size) for size in (prefix_size, width, rows)),
                targets=batch.Buckets(targets),
            ),
        )
        for prefix_size, width, rows, targets in ((11, 8, 3, 12), (32, 24, 4, 64))
    ]
    assert both[0].rows.tokens.shape == (3, 8)
    assert both[1].rows.tokens.shape == (4, 24)
    assert (both[0].targets.shape, both[1].targets.shape) == ((12,), (64,))
    narrow, padded = (forward(small.CONFIG)(variables, rows) for rows in both)
    pairs = zip(relevant(narrow, completions), relevant(padded, completions), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, atol=TOLERANCE)


def test_an_empty_prefix_is_no_prefix():
    params = small.params()
    _, questions, completions = example()
    logits = forward(small.CONFIG)({"params": params}, packed([], questions, completions))
    whole = numpy_decoder.logits(small.CONFIG, params, [*questions[1], *completions[1]])
    start = len(questions[1]) - 1
    found = relevant(logits, completions)[1]
    np.testing.assert_allclose(found, whole[start : start + 2], atol=TOLERANCE)


def shared_loss(variables, rows: batch.TokenBatch, *, remat: bool = False):
    logits = decoder.completion_logits(small.CONFIG, variables, rows, remat=remat)
    logprobs = jax.nn.log_softmax(logits)
    chosen = jnp.take_along_axis(logprobs, jnp.asarray(rows.targets)[:, None], axis=-1)[:, 0]
    return -jnp.sum(jnp.where(jnp.arange(chosen.size) < rows.target_count, chosen, 0.0))


def plain_loss(variables):
    """The same loss without a shared prefix: every row runs through the whole sequence."""
    prefix, questions, completions = example()
    whole = [[*prefix, *q, *c] for q, c in zip(questions, completions, strict=True)]
    width = batch.longest(whole)
    tokens = jnp.asarray(batch.pad_left(whole, len(whole), width))
    rows = batch.plain_rows(tokens, jnp.asarray(batch.lengths(whole, len(whole))))
    x, _ = decoder.encode(small.CONFIG, variables, None, rows)
    longest = batch.longest(completions)
    predicting = decoder.logits(small.CONFIG, variables, x[:, width - longest - 1 : -1])
    logprobs = jax.nn.log_softmax(predicting)
    chosen = jnp.take_along_axis(logprobs, tokens[:, width - longest :, None], axis=-1)[..., 0]
    lengths = jnp.asarray(batch.lengths(completions, len(whole)))
    return -jnp.sum(jnp.where(jnp.arange(longest) >= longest - lengths[:, None], chosen, 0.0))


def test_gradients_go_through_the_prefix_as_in_the_plain_forward():
    variables = {"params": small.params(), "lora": small.lora()}
    rows = packed(*example())
    expected = jax.jit(jax.grad(plain_loss))(variables)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(expected))
    for remat in (False, True):
        found = jax.jit(jax.grad(functools.partial(shared_loss, rows=rows, remat=remat)))(variables)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4 * np.abs(b).max()),
            found,
            expected,
        )


def test_gradient_agrees_with_a_float64_difference_quotient():
    params, rows = small.params(), packed(*example())
    rng = np.random.default_rng(3)
    direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params)

    def loss(step: float) -> float:
        moved = jax.tree.map(lambda p, d: np.asarray(p, np.float64) + step * d, params, direction)
        prefix, questions, completions = example()
        total = 0.0
        for question, completion in zip(questions, completions, strict=True):
            logits = numpy_decoder.logits(small.CONFIG, moved, [*prefix, *question, *completion])
            start = len(prefix) + len(question) - 1
            logprobs = numpy_decoder.log_softmax(logits[start:-1])
            total -= logprobs[np.arange(len(completion)), list(completion)].sum()
        return total

    gradient = jax.jit(jax.grad(functools.partial(shared_loss, rows=rows)))({"params": params})
    products = jax.tree.map(lambda g, d: float(np.sum(g * d)), gradient["params"], direction)
    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert sum(jax.tree.leaves(products)) == pytest.approx(slope, rel=1e-4)


def test_lora_collection_equals_merged_kernels():
    params, delta = small.params(), small.lora()
    merged = jax.tree.map(lambda leaf: leaf, params)
    for name, factors in delta["blocks"].items():
        product = np.einsum("lir,lro->lio", factors["a"], factors["b"])
        merged["blocks"][name]["kernel"] = params["blocks"][name]["kernel"] + product
    rows = packed(*example())
    with_delta = forward(small.CONFIG)({"params": params, "lora": delta}, rows)
    np.testing.assert_allclose(
        with_delta, forward(small.CONFIG)({"params": merged}, rows), atol=TOLERANCE
    )
    without = forward(small.CONFIG)({"params": params}, rows)
    assert np.abs(with_delta - without).max() > 0.1


def test_init_makes_the_tree_of_the_contract_in_the_wanted_dtypes():
    shape = dataclasses.replace(small.CONFIG, qkv_bias=True, qk_norm=True, tied=False)
    params = jax.eval_shape(lambda: decoder.init(shape, 0, jnp.bfloat16))
    assert sorted(params) == ["blocks", "embed", "final_norm", "head"]
    assert params["head"]["kernel"].shape == (24, 61)
    blocks = {name: sorted(layer) for name, layer in params["blocks"].items()}
    assert blocks == {
        **{name: ["scale"] for name in ("attn_norm", "ffn_norm", "q_norm", "k_norm")},
        **{name: ["bias", "kernel"] for name in "qkv"},
        **{name: ["kernel"] for name in ("o", "gate", "up", "down")},
    }
    for path, leaf in jax.tree.leaves_with_path(params):
        narrow = path[-1].key in ("kernel", "embedding")
        assert leaf.dtype == (jnp.bfloat16 if narrow else jnp.float32)


def test_bfloat16_kernels_give_float32_logits_near_those_of_float32():
    fine = small.params()
    params = jax.tree.map(
        lambda leaf, like: leaf.astype(like.dtype),
        fine,
        jax.eval_shape(lambda: decoder.init(small.CONFIG, 0, jnp.bfloat16)),
    )
    exact = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)
    rows = packed(*example())
    rough, fine = (forward(small.CONFIG)({"params": p}, rows) for p in (params, exact))
    assert rough.dtype == jnp.float32
    assert 0 < np.abs(rough - fine).max() < 0.2 * np.std(fine)
    grads = jax.jit(jax.grad(functools.partial(shared_loss, rows=rows)))({"params": params})
    assert jax.tree.map(lambda g: g.dtype, grads["params"]) == jax.tree.map(
        lambda p: p.dtype, params
    )


def test_completions_that_share_a_question_have_the_logits_and_gradients_of_rows_of_their_own():
    variables = {"params": small.params(), "lora": small.lora()}
    prefix, questions, completions = example()
    rng = np.random.default_rng(7)
    more = [[c, small.tokens(rng, n)] for c, n in zip(completions, (2, 1, 3), strict=True)]
    shared = packing.token_batch(prefix, questions, more)
    doubled = [question for question in questions for _ in range(2)]
    own = packed(prefix, doubled, [completion for pair in more for completion in pair])
    logits, expected = (forward(small.CONFIG)(variables, rows) for rows in (shared, own))
    assert (np.asarray(shared.rows.sequences) >= 0).sum() < (
        np.asarray(own.rows.sequences) >= 0
    ).sum()
    completions = [completion for pair in more for completion in pair]
    pairs = zip(relevant(logits, completions), relevant(expected, completions), strict=True)
    for found, alone in pairs:
        np.testing.assert_allclose(found, alone, atol=TOLERANCE)
    one, other = (
        jax.jit(jax.grad(functools.partial(shared_loss, rows=rows)))(variables)
        for rows in (shared, own)
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4 * np.abs(b).max()), one, other
    )


def test_completions_on_one_row_do_not_see_each_other():
    params = small.params()
    rng = np.random.default_rng(5)
    question, first, second = (small.tokens(rng, n) for n in (4, 3, 2))
    rows = batch.Rows(
        np.array([[*question, *first, *second]]),
        np.array([[0, 1, 2, 3, 4, 5, 6, 4, 5]]),
        np.zeros((1, 9), np.int32),
        np.array([[0, 0, 0, 0, 1, 1, 1, 2, 2]]),
    )
    x, _ = decoder.encode(small.CONFIG, {"params": params}, None, rows)
    logits = decoder.logits(small.CONFIG, {"params": params}, x)[0]
    alone = numpy_decoder.logits(small.CONFIG, params, [*question, *first])
    np.testing.assert_allclose(logits[:7], alone, atol=TOLERANCE)
    alone = numpy_decoder.logits(small.CONFIG, params, [*question, *second])
    np.testing.assert_allclose(logits[7:], alone[4:], atol=TOLERANCE)


def test_sequences_on_one_row_do_not_see_each_other():
    params = small.params()
    rng = np.random.default_rng(6)
    first, second = small.tokens(rng, 4), small.tokens(rng, 3)
    rows = batch.Rows(
        np.array([[*first, *second]]),
        np.array([[0, 1, 2, 3, 0, 1, 2]]),
        np.array([[0, 0, 0, 0, 1, 1, 1]]),
        np.zeros((1, 7), np.int32),
    )
    x, _ = decoder.encode(small.CONFIG, {"params": params}, None, rows)
    logits = decoder.logits(small.CONFIG, {"params": params}, x)[0]
    for found, alone in ((logits[:4], first), (logits[4:], second)):
        expected = numpy_decoder.logits(small.CONFIG, params, [*alone])
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_rows_in_blocks_are_read_as_rows_all_at_once(dtype, monkeypatch):
    shape = small.CONFIG
    variables = {"params": decoder.init(shape, 0, jnp.dtype(dtype))}
    rng = np.random.default_rng(7)
    prefix = np.array(small.tokens(rng, 5), np.int32)
    shared = decoder.prefill_prefix(shape, variables, prefix, np.int32(5))
    tokens = rng.integers(3, 40, (6, 8)).astype(np.int32)
    rows = batch.plain_rows(tokens, np.array([8, 3, 8, 1, 5, 8], np.int32))
    whole = decoder.encode(shape, variables, shared, rows)
    monkeypatch.setattr(native, "rows_at_once", lambda rows, width: 2)
    blocks = jax.jit(functools.partial(decoder.encode_in_blocks, shape))(variables, shared, rows)
    tolerance = TOLERANCE if dtype == "float32" else 0.05
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(
            np.asarray(a, np.float32), np.asarray(b, np.float32), atol=tolerance
        ),
        whole,
        blocks,
    )
    assert jax.tree.map(jnp.shape, whole) == jax.tree.map(jnp.shape, blocks)
