"""The update step: exact micro-batching, the shared prefix, and what XLA leaves out."""

import functools

import jax
import numpy as np
import optax
import pytest

from fastslow.slow import batching, contracts, update
from fastslow.slow.anchors import ANCHORS
from tests.slow import toy


def gradient(made, rows, micro_rows, updater=None):
    """Gradient and metrics of a whole step."""
    updater = updater or update.make(made)
    state = toy.state(made, toy.params())
    trainable = toy.perturbed(state.trainable, 5, 0.1)
    tokens = np.float32(sum(len(row.tokens) for row in rows))
    grads, metrics = update.zeros(trainable), []
    for batch in batching.micro_batches(rows, micro_rows):
        grads, part, _ = updater.accumulate(
            grads, toy.params(), trainable, state.anchors, batch, tokens
        )
        metrics.append(part)
    return grads, update.total(metrics)


@pytest.mark.parametrize("objective", ["cispo", "sft"])
def test_gradient_does_not_depend_on_the_micro_batches(objective):
    anchors = {"kl": ANCHORS.build("kl_exact", {"coefficient": 0.3})}
    made = toy.parts("lora", objective, anchors)
    updater, rows = update.make(made), toy.rows(1, count=9)
    whole, whole_metrics = gradient(made, rows, 100, updater)
    assert optax.global_norm(whole) > 1e-3
    for micro_rows in (1, 2, 3):
        cut, metrics = gradient(made, rows, micro_rows, updater)
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=2e-6), cut, whole
        )
        assert metrics == pytest.approx(whole_metrics, rel=1e-4)


def test_loss_is_the_mean_over_all_tokens_of_the_step():
    """With sft, the loss of a step is minus the mean log-probability, whatever the lengths."""
    rows = toy.rows(2, count=5)
    made = toy.parts("lora", "sft")
    _, together = gradient(made, rows, 100)
    apart = [(gradient(made, [row], 1)[1]["loss"], len(row.tokens)) for row in rows]
    values, weights = zip(*apart, strict=True)
    assert together["loss"] == pytest.approx(np.average(values, weights=weights), rel=1e-5)


def test_gradients_flow_through_the_decoders_shared_prefix():
    """The embedding of a token that only prefixes hold is trained: moving it moves the loss."""
    made = toy.parts("full", "sft", forward=toy.decoder_forward)
    base = toy.decoder_params()
    batch = batching.pack(toy.rows(3, prefixes=1))
    assert not np.isin(toy.PREFIX_ONLY, batch.inputs.rows.tokens)
    updater, start = update.make(made), made.adapter.init(0, base)

    def run(trainable):
        return updater.accumulate(
            update.zeros(trainable), base, trainable, {}, batch, np.float32(1)
        )

    slope = np.asarray(run(start)[0]["embed"]["embedding"])[toy.PREFIX_ONLY]
    step = 0.01 * slope / np.linalg.norm(slope)
    ends = []
    for sign in (1, -1):
        moved = start["embed"]["embedding"].at[toy.PREFIX_ONLY].add(sign * step)
        ends.append(float(run({**start, "embed": {"embedding": moved}})[1]["loss"]))
    assert ends[0] - ends[1] == pytest.approx(2 * 0.01 * np.linalg.norm(slope), rel=0.02)


def test_low_rank_gradient_agrees_with_a_finite_difference_through_the_decoder():
    made = toy.parts("lora", "sft", forward=toy.decoder_forward)
    base = toy.decoder_params()
    start = toy.perturbed(made.adapter.init(0, base), 3)
    updater, batch = update.make(made), batching.pack(toy.rows(4, prefixes=1))

    def run(trainable):
        return updater.accumulate(
            update.zeros(trainable), base, trainable, {}, batch, np.float32(10)
        )

    slopes, *_ = run(start)
    for target in start["blocks"]:
        slope = slopes["blocks"][target]
        norm, step = float(optax.global_norm(slope)), 0.01
        assert norm > 1e-3
        losses = []
        for sign in (1, -1):
            factors = jax.tree.map(
                lambda x, g, s=sign * step / norm: x + s * g, start["blocks"][target], slope
            )
            losses.append(float(run({"blocks": {**start["blocks"], target: factors}})[1]["loss"]))
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(norm, rel=0.02)


def flops(made):
    state = toy.state(made, toy.params())
    batch = batching.pack(toy.rows(0, prefixes=1))
    compiled = (
        update.make(made)
        .accumulate.lower(
            update.zeros(state.trainable),
            toy.params(),
            state.trainable,
            state.anchors,
            batch,
            np.float32(1),
        )
        .compile()
    )
    return compiled.cost_analysis()["flops"]


def test_the_reference_forward_is_computed_only_for_anchors_that_read_it():
    without = flops(toy.parts("lora"))
    on_parameters = flops(toy.parts("lora", anchors={"l2": ANCHORS.build("l2sp")}))
    on_outputs = flops(toy.parts("lora", anchors={"kl": ANCHORS.build("kl_exact")}))
    assert on_parameters == pytest.approx(without, rel=0.01)
    assert on_outputs > 1.1 * without


def test_nothing_large_is_compiled_into_the_programs():
    """Base parameters are arguments: other parameters, same program, other result."""
    made = toy.parts("lora", "sft")
    updater, state = update.make(made), toy.state(made, toy.params())
    batch = batching.pack(toy.rows(0, prefixes=1))
    losses = [
        float(
            updater.accumulate(
                update.zeros(state.trainable), base, state.trainable, {}, batch, np.float32(1)
            )[1]["loss"]
        )
        for base in (toy.params(), toy.perturbed(toy.params(), 1, 0.1))
    ]
    assert losses[0] != losses[1]
    assert updater.accumulate._cache_size() == 1


def test_warm_up_is_linear_and_then_constant():
    optimizer = update.adamw(0.1, 4, 1e9, 0.0)
    trainable = {"w": np.zeros(1, np.float32)}
    state, sizes = optimizer.init(trainable), []
    for _ in range(7):
        changes, state = optimizer.update({"w": np.ones(1, np.float32)}, state, trainable)
        sizes.append(-float(changes["w"][0]))
    np.testing.assert_allclose(sizes, [0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.1], rtol=1e-3)


def test_gradients_are_clipped_by_their_global_norm():
    optimizer = update.adamw(0.1, 0, 1.0, 0.0)
    trainable = {"w": np.zeros(2, np.float32)}
    large = {"w": np.array([30.0, 40.0], np.float32)}
    _, state = optimizer.update(large, optimizer.init(trainable), trainable)
    np.testing.assert_allclose(optax.tree.get(state, "mu")["w"], [0.06, 0.08], rtol=1e-5)


def test_weight_decay_pulls_the_delta_to_zero():
    optimizer = update.adamw(0.1, 0, 1.0, 0.5)
    trainable = {"w": np.ones(1, np.float32)}
    changes, _ = optimizer.update(
        {"w": np.zeros(1, np.float32)}, optimizer.init(trainable), trainable
    )
    assert changes["w"][0] == pytest.approx(-0.05)


def test_a_loss_that_is_no_value_per_token_is_refused():
    averaging = contracts.Objective(None, lambda logprobs, batch: (-logprobs.mean(), {}))
    made = toy.parts()._replace(objective=averaging)
    with pytest.raises(contracts.ContractError, match="the objective's loss must be one value per"):
        gradient(made, toy.rows(3), 4)


@pytest.mark.parametrize(
    ("value", "told"), [(None, "got None"), (np.ones(3, np.float32), r"got shape \(3,\)")]
)
def test_a_penalty_that_is_no_scalar_is_refused(value, told):
    anchor = ANCHORS.build("l2sp")._replace(penalty=lambda trainable, state: value)
    made = toy.parts()._replace(anchors={"mine": anchor})
    updater, start = update.make(made), made.adapter.init(0, toy.params())
    state = made.optimizer.init(start)
    with pytest.raises(contracts.ContractError, match=f"anchor 'mine' must be a scalar, {told}"):
        updater.apply(update.zeros(start), start, state, {"mine": anchor.init(start)})


def test_an_error_in_a_loss_says_whose_it_was():
    broken = contracts.Objective(None, lambda logprobs, batch: {}["weights"])
    made = toy.parts()._replace(objective=broken)
    with pytest.raises(KeyError, match="weights") as caught:
        gradient(made, toy.rows(3), 4)
    assert any("the objective was giving its loss" in note for note in caught.value.__notes__)
