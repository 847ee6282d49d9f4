"""Arrays that travel as bits keep their values and their gradients, narrow and wide ones alike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastslow.lm import bits


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_walk_along_an_axis_sees_every_entry_and_its_gradient_arrives(dtype):
    stacked = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), dtype)

    def walked(stacked, weights):
        def step(total, sliced):
            index, like, weight = sliced
            own = bits.from_bits(bits.entry(stacked, index), like)
            return total + (own.astype(jnp.float32) * weight).sum(), None

        return jax.lax.scan(step, 0.0, (jnp.arange(3), stacked, weights))[0]

    weights = jnp.arange(1.0, 13.0).reshape(3, 4)
    value, gradient = jax.jit(jax.value_and_grad(walked))(stacked, weights)
    expected = (np.asarray(stacked, np.float32) * weights).sum()
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert gradient.dtype == stacked.dtype
    np.testing.assert_array_equal(np.asarray(gradient, np.float32), weights)


def test_a_walk_copies_no_array_whole():
    stacked = jnp.ones((64, 1 << 14), jnp.bfloat16)

    def walked(stacked):
        def step(total, sliced):
            index, like = sliced
            return total + bits.from_bits(bits.entry(stacked, index), like).astype(
                jnp.float32
            ), None

        return jax.lax.scan(step, jnp.zeros(1 << 14), (jnp.arange(64), stacked))[0]

    compiled = jax.jit(walked).lower(stacked).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < stacked.nbytes / 2
