import math

import numpy as np
import pytest

from fastslow.metrics import drift


def reference(p_logits, q_logits):
    """KL of two small distributions, term by term."""
    p, q = (np.exp(x) / np.exp(x).sum() for x in (p_logits, q_logits))
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def test_worked_example_and_direction():
    p, q = np.log([0.5, 0.5]), np.log([0.9, 0.1])
    assert drift.kl(p, q) == pytest.approx(0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(5))
    assert drift.kl(q, p) == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2))


def test_agrees_with_a_float64_reference_position_by_position():
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(2, 3, 4, 7))
    values = drift.kl(p, q)
    assert values.shape == (3, 4)
    for position in np.ndindex(3, 4):
        assert values[position] == pytest.approx(reference(p[position], q[position]), rel=1e-12)


def test_logits_need_not_be_normalised_and_may_be_large():
    p, q = np.array([1.0, 2.0, 3.0]), np.array([3.0, 1.0, 0.0])
    assert drift.kl(p + 1e4, q - 1e4) == pytest.approx(drift.kl(p, q), rel=1e-9)


def test_float32_logits_are_summed_in_float64():
    rng = np.random.default_rng(1)
    p = rng.normal(size=49152).astype(np.float32)
    q = p + 1e-3 * rng.normal(size=49152).astype(np.float32)
    value = drift.kl(p, q)
    assert value.dtype == np.float64
    assert value == pytest.approx(reference(p.astype(float), q.astype(float)), rel=1e-8)


def test_equal_models_have_not_drifted():
    logits = np.random.default_rng(2).normal(size=(5, 11)).astype(np.float32)
    np.testing.assert_array_equal(drift.kl(logits, logits), np.zeros(5))


def test_rounding_does_not_make_a_divergence_negative():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(500, 50))
    nearby = logits + 1e-9 * rng.normal(size=(500, 50))
    assert (drift.kl(logits, nearby) >= 0).all()


@pytest.mark.filterwarnings("error")
def test_impossible_tokens():
    certain, open_ = np.array([0.0, -np.inf]), np.array([0.0, 0.0])
    assert drift.kl(certain, open_) == pytest.approx(math.log(2))
    assert drift.kl(open_, certain) == math.inf
    assert drift.kl(certain, certain) == 0


def test_every_token_weighs_the_same():
    assert drift.per_token(np.array([1.0, 4.0]), np.array([2, 1])) == pytest.approx(2.0)


def test_texts_without_tokens_do_not_count():
    assert drift.per_token(np.array([1.0, np.nan]), np.array([3, 0])) == 1.0
    assert math.isnan(drift.per_token(np.array([np.nan]), np.array([0])))
