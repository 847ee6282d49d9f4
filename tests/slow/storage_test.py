"""Trees of arrays as flat tables and back."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fastslow.slow import storage


def tree():
    trainable = {"blocks": {"q": {"a": jnp.arange(6.0).reshape(2, 3)}}}
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))
    state = optimizer.init(trainable)
    _, state = optimizer.update(jax.tree.map(jnp.ones_like, trainable), state, trainable)
    return {"trainable": trainable, "opt": state, "none": (), "step": jnp.int32(3)}


def test_round_trip_is_exact_with_the_same_node_types():
    saved = storage.flatten(tree())
    assert all(isinstance(leaf, np.ndarray) for leaf in saved.values())
    restored = storage.unflatten(jax.eval_shape(tree), saved)
    assert jax.tree.structure(restored) == jax.tree.structure(tree())
    jax.tree.map(np.testing.assert_array_equal, restored, tree())


def test_names_are_readable_paths():
    assert "trainable.blocks.q.a" in storage.flatten(tree())


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("step"),
        lambda s: s.update(more=np.zeros(1)),
        lambda s: s.update(step=np.zeros((), np.int64)),
        lambda s: s.update(step=np.zeros(2, np.int32)),
    ],
)
def test_what_does_not_fit_is_named(change):
    saved = storage.flatten(tree())
    change(saved)
    with pytest.raises(ValueError, match=r"does not fit: (step|more)"):
        storage.unflatten(jax.eval_shape(tree), saved)
