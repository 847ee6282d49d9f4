"""Conformance of every adapter, and the formulas of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastslow import checkpoint, registry, types
from fastslow.slow import batching
from fastslow.slow.adapters import ADAPTERS
from tests.slow import toy

EVERY = pytest.mark.parametrize("name", list(ADAPTERS))


def logits(variables):
    batch = batching.pack(toy.rows(0, prefixes=1))
    return np.asarray(toy.forward(variables, batch.inputs))


def assert_equal(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


@EVERY
def test_starts_as_exactly_the_base_model(name):
    adapter = ADAPTERS.build(name)
    variables = adapter.bind(toy.params(), adapter.init(0, toy.params()))
    np.testing.assert_array_equal(logits(variables), logits({"params": toy.params()}))


def test_lora_works_in_the_decoder_and_merge_agrees_with_bind():
    adapter, base = ADAPTERS.build("lora"), toy.decoder_params()
    batch = batching.pack(toy.rows(0, prefixes=1))
    forward = jax.jit(toy.decoder_forward)
    untouched = forward({"params": base}, batch.inputs)
    start = adapter.init(0, base)
    np.testing.assert_array_equal(forward(adapter.bind(base, start), batch.inputs), untouched)
    trainable = toy.perturbed(start, 1, 0.1)
    bound = forward(adapter.bind(base, trainable), batch.inputs)
    assert np.abs(bound - untouched).max() > 0.01
    merged = forward({"params": adapter.merge(base, trainable)}, batch.inputs)
    np.testing.assert_allclose(merged, bound, atol=1e-4)


@EVERY
def test_init_is_deterministic_and_f32(name):
    adapter = ADAPTERS.build(name)
    first, second = adapter.init(3, toy.params()), adapter.init(3, toy.params())
    assert_equal(first, second)
    assert {leaf.dtype for leaf in jax.tree.leaves(first)} == {jnp.dtype("float32")}


@EVERY
def test_trainable_changes_the_function_and_merge_agrees_with_bind(name):
    adapter = ADAPTERS.build(name)
    trainable = toy.perturbed(adapter.init(0, toy.params()), 1, 0.1)
    bound = logits(adapter.bind(toy.params(), trainable))
    assert np.abs(bound - logits({"params": toy.params()})).max() > 0.01
    merged = logits({"params": adapter.merge(toy.params(), trainable)})
    np.testing.assert_allclose(merged, bound, atol=1e-4)


@EVERY
def test_base_parameters_are_left_alone_and_keep_their_types(name):
    adapter = ADAPTERS.build(name)
    base = jax.tree.map(lambda x: x.astype(jnp.bfloat16), toy.params())
    before = jax.tree.map(np.array, base)
    merged = adapter.merge(base, toy.perturbed(adapter.init(0, base), 1))
    assert_equal(base, before)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), merged) == jax.tree.map(
        lambda x: (x.shape, x.dtype), base
    )


@EVERY
def test_has_trainable_numbers_and_round_trips_through_a_checkpoint(name, tmp_path):
    adapter = ADAPTERS.build(name)
    trainable = toy.perturbed(adapter.init(0, toy.params()), 2)
    assert sum(leaf.size for leaf in jax.tree.leaves(trainable)) > 0
    checkpoint.save(tmp_path, 0, types.Saved(trainable, {}))
    restored = checkpoint.restore(tmp_path, 0, adapter.init(0, toy.params())).arrays
    assert_equal(restored, trainable)


def test_every_adapter_is_described():
    assert all(len(text) > 20 and text.endswith(".") for _, text in ADAPTERS.describe())


def test_full_moves_every_parameter_by_its_delta():
    adapter = ADAPTERS.build("full")
    delta = toy.perturbed(adapter.init(0, toy.params()), 1)
    merged = adapter.merge(toy.params(), delta)
    jax.tree.map(
        lambda m, p, d: np.testing.assert_allclose(m, p + d, rtol=1e-6), merged, toy.params(), delta
    )


def test_full_keeps_a_delta_too_small_for_bfloat16_until_it_adds_up():
    adapter = ADAPTERS.build("full")
    base = {"w": jnp.ones(1, jnp.bfloat16)}
    small = {"w": jnp.full(1, 0.001, jnp.float32)}
    assert adapter.merge(base, small)["w"] == base["w"]
    assert adapter.merge(base, {"w": 10 * small["w"]})["w"] > base["w"]


def test_lora_adds_scaled_products_to_its_targets_only():
    adapter = ADAPTERS.build("lora", {"rank": 2, "alpha": 6.0, "targets": ("q", "down")})
    trainable = toy.perturbed(adapter.init(0, toy.params()), 1)
    merged, base = adapter.merge(toy.params(), trainable)["blocks"], toy.params()["blocks"]
    for module in base:
        for leaf in base[module]:
            want = np.asarray(base[module][leaf], np.float64)
            if module in ("q", "down"):
                a, b = (np.asarray(trainable["blocks"][module][x], np.float64) for x in "ab")
                want = want + 3.0 * a @ b
            np.testing.assert_allclose(merged[module][leaf], want, rtol=1e-5, atol=1e-6)


def test_lora_starts_with_unit_scale_projections_and_zero_outputs():
    shape = (3, 400, 50)
    params = {"blocks": {"q": {"kernel": jnp.zeros(shape)}, "v": {"kernel": jnp.zeros(shape)}}}
    adapter = ADAPTERS.build("lora", {"rank": 16, "targets": ("q", "v")})
    blocks = adapter.init(0, params)["blocks"]
    assert blocks["q"]["a"].shape == (3, 400, 16)
    assert blocks["q"]["b"].shape == (3, 16, 50)
    np.testing.assert_allclose(np.std(blocks["q"]["a"]), 1 / 20, rtol=0.05)
    assert not np.any(blocks["q"]["b"])
    assert not np.allclose(blocks["q"]["a"], blocks["v"]["a"])
    other = adapter.init(1, params)["blocks"]
    assert not np.allclose(blocks["q"]["a"], other["q"]["a"])


def test_lora_names_the_nearest_target_and_refuses_bad_ranks():
    adapter = ADAPTERS.build("lora", {"targets": ("upp",)})
    with pytest.raises(registry.UnknownNameError, match="did you mean 'up'"):
        adapter.init(0, toy.params())
    with pytest.raises(ValueError, match="rank >= 1"):
        ADAPTERS.build("lora", {"rank": 0})
