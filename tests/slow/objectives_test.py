"""Every objective's gradient against float64 NumPy, and what all of them have in common."""

import jax
import numpy as np
import pytest

from fastslow.slow import update
from fastslow.slow.objectives import OBJECTIVES
from tests.slow import toy


def sft_slope(ratio, advantage):
    return -np.ones_like(ratio)


def grpo_slope(ratio, advantage):
    """Gradient of -min(r A, clip(r) A): none where the clipped term is smaller."""
    clipped = np.clip(ratio, 0.8, 1.2) * advantage < ratio * advantage
    return np.where(clipped, 0.0, -ratio * advantage)


def cispo_slope(ratio, advantage):
    return -np.minimum(ratio, 4.0) * advantage


SLOPES = {"sft": sft_slope, "grpo": grpo_slope, "cispo": cispo_slope}


def reference_gradient(slope, kernel, batch):
    """d loss / d kernel of the linear model, by the chain rule, in float64."""
    x = np.asarray(batch.inputs, np.float64)
    logits = x @ np.asarray(kernel, np.float64)
    probabilities = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities /= probabilities.sum(-1, keepdims=True)
    chosen = np.eye(probabilities.shape[-1])[batch.tokens]
    logprobs = np.log((probabilities * chosen).sum(-1))
    slopes = slope(np.exp(logprobs - batch.behaviour_logprobs), batch.advantages)
    slopes = np.where(batch.mask, slopes, 0.0) / batch.mask.sum()
    return np.einsum("rnd,rn,rnv->dv", x, slopes, chosen - probabilities)


def gradient(name, params, batch):
    made = toy.parts(objective=name, forward=toy.linear_forward)
    trainable = made.adapter.init(0, params)
    grads, metrics, _ = update.make(made).accumulate(
        update.zeros(trainable), params, trainable, {}, batch, np.float32(batch.mask.sum())
    )
    return np.asarray(grads["kernel"]), metrics


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_gradient_matches_float64(name, seed):
    params, batch = toy.linear_params(seed), toy.linear_batch(seed)
    want = reference_gradient(SLOPES[name], params["kernel"], batch)
    got, _ = gradient(name, params, batch)
    assert np.abs(want).max() > 1e-3
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_masked_positions_do_not_matter(name):
    params, batch = toy.linear_params(0), toy.linear_batch(0)
    assert not batch.mask.all()
    junk = batch._replace(
        tokens=np.where(batch.mask, batch.tokens, 0),
        behaviour_logprobs=np.where(batch.mask, batch.behaviour_logprobs, -200.0),
        inputs=np.where(batch.mask[..., None], batch.inputs, 50.0).astype(np.float32),
    )
    np.testing.assert_array_equal(gradient(name, params, batch)[0], gradient(name, params, junk)[0])


@pytest.mark.parametrize("name", ["grpo", "cispo"])
def test_a_zero_advantage_teaches_nothing_and_its_sign_turns_the_gradient(name):
    params, batch = toy.linear_params(1), toy.linear_batch(1)
    # On policy (pi_old = pi) nothing is clipped, so that the sign is all that differs.
    logits = batch.inputs @ params["kernel"]
    logprobs = np.take_along_axis(
        np.asarray(jax.nn.log_softmax(logits)), batch.tokens[..., None], -1
    )[..., 0]
    batch = batch._replace(behaviour_logprobs=logprobs)
    plus, _ = gradient(name, params, batch)
    minus, _ = gradient(name, params, batch._replace(advantages=-batch.advantages))
    none, _ = gradient(name, params, batch._replace(advantages=0 * batch.advantages))
    np.testing.assert_allclose(plus, -minus, rtol=1e-5, atol=1e-7)
    assert np.abs(plus).max() > 1e-3
    assert not none.any()


def test_on_policy_grpo_and_cispo_agree():
    params, batch = toy.linear_params(2), toy.linear_batch(2)
    logits = batch.inputs @ params["kernel"]
    logprobs = np.take_along_axis(
        np.asarray(jax.nn.log_softmax(logits)), batch.tokens[..., None], -1
    )[..., 0]
    batch = batch._replace(behaviour_logprobs=logprobs)
    np.testing.assert_allclose(
        gradient("grpo", params, batch)[0], gradient("cispo", params, batch)[0], atol=1e-6
    )


@pytest.mark.parametrize(("name", "share"), [("grpo", 1.0), ("cispo", 0.0)])
def test_clipping_is_counted(name, share):
    """A ratio of e with positive advantage is clipped by GRPO (1.2) and not by CISPO (4)."""
    params, batch = {"kernel": np.zeros((5, 7), np.float32)}, toy.linear_batch(3)
    behaviour = np.full(batch.tokens.shape, -np.log(7) - 1, np.float32)
    batch = batch._replace(behaviour_logprobs=behaviour, advantages=np.ones((6, 4), np.float32))
    _, metrics = gradient(name, params, batch)
    assert metrics["clipped_share"] == pytest.approx(share, abs=1e-6)
    assert metrics["off_policy"] == pytest.approx(1.0, rel=1e-5)


def test_cispo_keeps_the_gradient_that_grpo_clips_away():
    params, batch = {"kernel": np.zeros((5, 7), np.float32)}, toy.linear_batch(3)
    behaviour = np.full(batch.tokens.shape, -np.log(7) - 1, np.float32)
    batch = batch._replace(behaviour_logprobs=behaviour, advantages=np.ones((6, 4), np.float32))
    assert not gradient("grpo", params, batch)[0].any()
    assert np.abs(gradient("cispo", params, batch)[0]).max() > 0.01


def test_options_are_checked():
    with pytest.raises(ValueError, match="tau"):
        OBJECTIVES.build("cispo", {"tau": 0.0})
    with pytest.raises(ValueError, match="clip_low"):
        OBJECTIVES.build("grpo", {"clip_low": 1.5})


def test_every_objective_is_described():
    assert all(len(text) > 20 and text.endswith(".") for _, text in OBJECTIVES.describe())
