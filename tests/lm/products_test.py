"""Products with operands of one dtype, and floats that travel as bits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastslow.lm import bits, products
from fastslow.slow import batching
from fastslow.slow.adapters import ADAPTERS
from tests.slow import toy

CASES = {
    "rti,io->rto": ((2, 3, 5), (5, 7)),
    "rtd,vd->rtv": ((2, 3, 5), (7, 5)),
    "krmd,krsd->krms": ((2, 3, 4, 5), (2, 3, 6, 5)),
    "krms,krsd->krmd": ((2, 3, 4, 6), (2, 3, 6, 5)),
}


@pytest.mark.parametrize("subscripts", CASES)
def test_einsum_and_both_gradients_match_numpy(subscripts):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape).astype(np.float32) for shape in CASES[subscripts])
    out, pull = jax.vjp(lambda x, y: products.einsum(subscripts, x, y), x, y)
    cotangent = rng.normal(size=out.shape).astype(np.float32)
    first, second, result = subscripts.replace("->", ",").split(",")
    np.testing.assert_allclose(out, np.einsum(subscripts, x, y), atol=1e-5)
    dx, dy = pull(cotangent)
    np.testing.assert_allclose(
        dx, np.einsum(f"{result},{second}->{first}", cotangent, y), atol=1e-5
    )
    np.testing.assert_allclose(
        dy, np.einsum(f"{first},{result}->{second}", x, cotangent), atol=1e-5
    )


def precisions(jaxpr):
    """Return the precisions of all products of a program, those of its inner programs included."""
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            found.append(equation.params["precision"])
        is_program = lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")
        for leaf in jax.tree.leaves(equation.params, is_leaf=is_program):
            if is_program(leaf):
                found += precisions(getattr(leaf, "jaxpr", leaf))
    return found


@pytest.mark.parametrize("name", ["full", "lora"])
def test_every_product_in_float32_says_so_forward_and_backward(name):
    """On GPUs a product that does not say so rounds its operands to TF32."""
    adapter, base = ADAPTERS.build(name), toy.decoder_params()
    inputs = batching.pack(toy.rows(0, prefixes=1)).inputs

    def loss(trainable):
        return toy.decoder_forward(adapter.bind(base, trainable), inputs).sum()

    trainable = adapter.init(0, base)
    found = precisions(jax.make_jaxpr(jax.value_and_grad(loss))(trainable).jaxpr)
    found += precisions(jax.make_jaxpr(lambda x: adapter.merge(base, x))(trainable).jaxpr)
    highest = jax.lax.Precision.HIGHEST
    assert len(found) > 20
    assert set(found) == {(highest, highest)}


def test_bfloat16_kernel_rounds_operands_and_sums_in_float32():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 1, 4096)).astype(np.float32)
    y = jnp.asarray(rng.normal(size=(4096, 2)), jnp.bfloat16)
    rounded = np.asarray(jnp.asarray(x, jnp.bfloat16), np.float64)
    exact = rounded[0] @ np.asarray(y, np.float64)
    out, pull = jax.vjp(lambda x, y: products.einsum("rti,io->rto", x, y), x, y)
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out[0], exact, rtol=1e-5)
    dx, dy = pull(jnp.ones_like(out))
    assert (dx.dtype, dy.dtype) == (jnp.float32, jnp.bfloat16)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_shown_bits_are_the_array_and_pass_its_gradient_through_a_scan(dtype):
    stack = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), dtype)

    def total(stack):
        def add(carry, sliced):
            shown = bits.from_bits(*sliced)
            return carry + jnp.sum(shown.astype(jnp.float32) ** 2), bits.as_bits(shown)

        return jax.lax.scan(add, 0.0, (bits.as_bits(stack), stack))

    (value, hidden), gradient = jax.value_and_grad(total, has_aux=True)(stack)
    np.testing.assert_array_equal(bits.from_bits(hidden, stack), stack)
    assert gradient.dtype == dtype
    np.testing.assert_allclose(value, np.sum(np.asarray(stack, np.float64) ** 2), rtol=1e-5)
    np.testing.assert_array_equal(gradient, 2 * stack)
