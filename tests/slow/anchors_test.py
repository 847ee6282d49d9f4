"""Conformance of every anchor, and the formula of each against float64 NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastslow import checkpoint, registry, types
from fastslow.slow import batching, contracts, update
from fastslow.slow.anchors import ANCHORS, parts
from tests.slow import toy

EVERY = pytest.mark.parametrize("name", list(ANCHORS))
KL_OPTIONS = [
    ("kl_exact", {"direction": "policy||base"}),
    ("kl_exact", {"direction": "base||policy"}),
    ("kl_k3", {}),
]


def outputs(seed, spread=1.0):
    rng = np.random.default_rng(seed)
    shape = (2, 3, 11)
    base = rng.normal(size=shape).astype(np.float32)
    policy = base + spread * rng.normal(size=shape).astype(np.float32)
    tokens = rng.integers(0, 11, shape[:2]).astype(np.int32)
    return contracts.Outputs(policy, base, tokens, np.ones(shape[:2], bool))


def log_softmax(x):
    x = np.asarray(x, np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def reference_kl(name, options, given):
    """Value (R, N) and its gradient with respect to the policy's logits (R, N, V)."""
    p, q = log_softmax(given.logits), log_softmax(given.reference_logits)
    chosen = np.eye(p.shape[-1])[given.tokens]
    if name == "kl_k3":
        d = ((q - p) * chosen).sum(-1)
        return np.exp(d) - d - 1, (1 - np.exp(d))[..., None] * (chosen - np.exp(p))
    if options["direction"] == "base||policy":
        return (np.exp(q) * (q - p)).sum(-1), np.exp(p) - np.exp(q)
    value = (np.exp(p) * (p - q)).sum(-1)
    return value, np.exp(p) * (p - q - value[..., None])


@pytest.mark.parametrize(("name", "options"), KL_OPTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_kl_value_and_gradient_match_float64(name, options, seed):
    anchor = ANCHORS.build(name, {**options, "coefficient": 0.5})
    given = outputs(seed)
    value, slope = reference_kl(name, options, given)
    np.testing.assert_allclose(anchor.token_penalty((), given), 0.5 * value, rtol=1e-4, atol=1e-6)
    got = jax.grad(lambda x: anchor.token_penalty((), given._replace(logits=x)).sum())(given.logits)
    np.testing.assert_allclose(got, 0.5 * slope, rtol=1e-3, atol=1e-6)


def test_k3_is_unbiased_for_kl_of_policy_to_base():
    given = outputs(0, spread=0.5)
    p = np.exp(log_softmax(given.logits))
    anchor = ANCHORS.build("kl_k3", {"coefficient": 1.0})
    expected = np.zeros((2, 3))
    for token in range(11):
        sampled = given._replace(tokens=np.full((2, 3), token, np.int32))
        expected += p[..., token] * np.asarray(anchor.token_penalty((), sampled))
    want, _ = reference_kl("kl_exact", {"direction": "policy||base"}, given)
    np.testing.assert_allclose(expected, want, rtol=1e-4)


def test_kl_refuses_an_unknown_direction():
    with pytest.raises(registry.OptionError, match=r"'policy\|\|base' or 'base\|\|policy', got"):
        ANCHORS.build("kl_exact", {"direction": "forward"})
    with pytest.raises(ValueError, match=r"policy\|\|base"):
        ANCHORS.get("kl_exact")(direction="forward")


def test_l2sp_is_half_the_squared_distance():
    anchor = ANCHORS.build("l2sp", {"coefficient": 0.3})
    start = {"a": jnp.array([1.0, -2.0]), "b": jnp.array([[0.5]])}
    moved = {"a": jnp.array([3.0, -2.5]), "b": jnp.array([[0.0]])}
    want = 0.15 * (4.0 + 0.25 + 0.25)
    assert anchor.penalty(moved, anchor.init(start)) == pytest.approx(want, rel=1e-6)
    slope = jax.grad(anchor.penalty)(moved, anchor.init(start))
    np.testing.assert_allclose(slope["a"], [0.6, -0.15], rtol=1e-5)


def test_l2sp_follows_or_stays():
    start, moved = {"a": jnp.zeros(2)}, {"a": jnp.ones(2)}
    follows = ANCHORS.build("l2sp", {"coefficient": 1.0})
    stays = ANCHORS.build("l2sp", {"coefficient": 1.0, "follow": False})
    nothing = contracts.Evidence((), lambda trainable, batch: None)
    assert follows.penalty(moved, follows.consolidate(moved, follows.init(start), nothing)) == 0
    assert stays.penalty(moved, stays.consolidate(moved, stays.init(start), nothing)) == 1


def built(name, coefficient=1.0):
    return toy.parts("lora", anchors={"it": ANCHORS.build(name, {"coefficient": coefficient})})


def step_gradient(made, updater, trainable, anchor_states):
    """Gradient and metrics of the anchor alone: all advantages are zero."""
    rows = [row._replace(advantage=0.0) for row in toy.rows(0, prefixes=1)]
    tokens = np.float32(sum(len(row.tokens) for row in rows))
    grads, first, _ = updater.accumulate(
        update.zeros(trainable),
        toy.params(),
        trainable,
        anchor_states,
        batching.pack(rows),
        tokens,
    )
    kept = jax.tree.map(np.array, grads)
    opt_state = made.optimizer.init(trainable)
    after, _, second = updater.apply(grads, trainable, opt_state, anchor_states)
    return kept, after, update.total([first, second])


@EVERY
def test_is_zero_at_the_start_and_positive_after_a_change(name):
    made = built(name)
    updater = update.make(made)
    before = toy.state(made, toy.params())
    _, _, metrics = step_gradient(made, updater, before.trainable, before.anchors)
    assert metrics["anchor/it"] == pytest.approx(0, abs=1e-5)
    moved = toy.perturbed(before.trainable, 1)
    _, _, metrics = step_gradient(made, updater, moved, before.anchors)
    assert metrics["anchor/it"] > 1e-3
    assert metrics["loss"] == pytest.approx(metrics["anchor/it"], rel=1e-5)
    assert metrics["grad_norm"] > 1e-3


@EVERY
def test_pulls_back(name):
    """Steps on the anchor alone make its penalty smaller."""
    made = built(name)._replace(optimizer=update.adamw(0.02, 0, 1.0, 0.0))
    updater = update.make(made)
    start = toy.state(made, toy.params())
    trainable = toy.perturbed(start.trainable, 1)
    values = []
    for _ in range(8):
        _, trainable, metrics = step_gradient(made, updater, trainable, start.anchors)
        values.append(metrics["anchor/it"])
    assert values[-1] < 0.9 * values[0]


@EVERY
def test_consolidation_keeps_the_structure_and_round_trips(name, tmp_path):
    made = built(name)
    state = toy.state(made, toy.params())
    batch = batching.pack(toy.rows(0, prefixes=1))
    evidence = contracts.Evidence((batch,), lambda t, b: toy.forward({"params": t}, b.inputs))
    anchor = made.anchors["it"]
    moved = anchor.consolidate(toy.perturbed(state.trainable, 1), state.anchors["it"], evidence)
    checkpoint.save(tmp_path, 0, types.Saved(moved, {}))
    restored = checkpoint.restore(tmp_path, 0, anchor.init(state.trainable)).arrays
    assert jax.tree.structure(restored) == jax.tree.structure(moved)
    jax.tree.map(np.testing.assert_array_equal, restored, moved)


def test_a_moved_anchor_is_not_baked_into_the_compiled_step():
    made = built("l2sp")
    updater = update.make(made)
    start = toy.state(made, toy.params())
    moved = toy.perturbed(start.trainable, 1)
    _, _, before = step_gradient(made, updater, moved, start.anchors)
    nothing = contracts.Evidence((), lambda trainable, batch: None)
    again = {"it": made.anchors["it"].consolidate(moved, start.anchors["it"], nothing)}
    _, _, after = step_gradient(made, updater, moved, again)
    assert before["anchor/it"] > 1e-3
    assert after["anchor/it"] == 0
    assert updater.apply._cache_size() == 1  # the same program, with other arguments


def test_parameter_penalties_count_once_however_the_step_is_cut():
    made = built("l2sp")
    updater = update.make(made)
    start = toy.state(made, toy.params())
    moved = toy.perturbed(start.trainable, 1)
    grads, _, _ = step_gradient(made, updater, moved, start.anchors)
    assert not any(leaf.any() for leaf in jax.tree.leaves(grads))  # nothing per micro-batch


def test_an_importance_anchor_fits_the_contract():
    """A user's own anchor: diagonal Fisher over the evidence, kept in its state."""

    def fisher(trainable, evidence):
        def logprob(trainable, batch):
            logits = jax.nn.log_softmax(evidence.logits(trainable, batch))
            chosen = jnp.take_along_axis(logits, batch.tokens[..., None], -1)[..., 0]
            return jnp.where(batch.mask, chosen, 0).sum()

        grads = [jax.grad(logprob)(trainable, batch) for batch in evidence.batches]
        return jax.tree.map(lambda *g: sum(x**2 for x in g), *grads)

    def init(trainable):
        return {"at": trainable, "importance": jax.tree.map(jnp.zeros_like, trainable)}

    def penalty(trainable, state):
        terms = jax.tree.map(
            lambda x, a, f: jnp.sum(f * (x - a) ** 2), trainable, state["at"], state["importance"]
        )
        return 0.5 * jax.tree.reduce(jnp.add, terms)

    def consolidate(trainable, state, evidence):
        return {"at": trainable, "importance": fisher(trainable, evidence)}

    anchor = contracts.Anchor(init, penalty, parts.no_token_penalty, consolidate)
    made = toy.parts("lora", anchors={"it": anchor})
    updater = update.make(made)
    state = toy.state(made, toy.params())
    moved = toy.perturbed(state.trainable, 1)
    batch = batching.pack(toy.rows(0, prefixes=1))
    evidence = contracts.Evidence((batch,), lambda t, b: updater.logits(toy.params(), t, b))
    assert anchor.penalty(moved, state.anchors["it"]) == 0
    learnt = anchor.consolidate(state.trainable, state.anchors["it"], evidence)
    assert anchor.penalty(moved, learnt) > 0


def test_every_anchor_is_described():
    assert all(len(text) > 20 and text.endswith(".") for _, text in ANCHORS.describe())
