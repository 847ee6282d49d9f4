"""An optimisation step in two jitted functions: gradients of a micro-batch, then the update."""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fastslow import errors, types
from fastslow.slow import contracts, likelihood

Metrics = dict[str, jax.Array]  # scalars, on the device
AnchorStates = Mapping[str, types.PyTree]


class Parts(NamedTuple):
    """What an update step is made of: functions and constants, nothing that changes in a run."""

    forward: contracts.Forward
    adapter: contracts.Adapter
    objective: contracts.Objective
    anchors: Mapping[str, contracts.Anchor]
    optimizer: optax.GradientTransformation


class Updater(NamedTuple):
    """The jitted functions of the update step; every array is an argument.

    accumulate(grads, params, trainable, anchor_states, batch, tokens) -> (grads, metrics, logits):
      adds the micro-batch's share of the step's mean over `tokens` tokens. Consumes (donates)
      `grads`. `logits` (N, V) are those under `trainable`. Anchors without a state are left out.
    apply(grads, trainable, opt_state, anchor_states) -> (trainable, opt_state, metrics): adds the
      anchors' parameter penalties and takes one optimiser step. Consumes `grads`.
    logits(params, trainable, batch) -> (N, V).
    divergence(params, trainable, batch, before) -> KL(policy || before), exact over the vocabulary
      and averaged over the batch's tokens, nats per token; `before` (N, V) are logits.
    """

    accumulate: Callable[..., tuple[types.PyTree, Metrics, jax.Array]]
    apply: Callable[..., tuple[types.PyTree, types.PyTree, Metrics]]
    logits: Callable[[types.PyTree, types.PyTree, contracts.MicroBatch], jax.Array]
    divergence: Callable[..., jax.Array]


def adamw(
    learning_rate: float, warmup_steps: int, clip_norm: float, weight_decay: float
) -> optax.GradientTransformation:
    """Return AdamW with linear warm-up to a constant rate, after clipping by the global norm.

    Weight decay acts on the trainable delta, so it pulls towards the base model, not towards zero.
    """
    first = learning_rate / (warmup_steps + 1)
    schedule = optax.linear_schedule(first, learning_rate, warmup_steps)
    return optax.chain(
        optax.clip_by_global_norm(clip_norm), optax.adamw(schedule, weight_decay=weight_decay)
    )


def make(parts: Parts) -> Updater:
    """Compile the update step of one combination of model, adapter, objective and anchors."""
    return Updater(
        accumulate=jax.jit(functools.partial(_accumulate, parts), donate_argnums=0),
        apply=jax.jit(functools.partial(_apply, parts), donate_argnums=0),
        logits=jax.jit(functools.partial(_logits, parts)),
        divergence=jax.jit(functools.partial(_divergence, parts)),
    )


def zeros(trainable: types.PyTree) -> types.PyTree:
    """Return the gradient accumulator a step starts from."""
    return jax.tree.map(jnp.zeros_like, trainable)


def total(metrics: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Add up, by name and on the host, the metrics of a step's micro-batches and of its `apply`."""
    sums: dict[str, float] = {}
    for part in jax.device_get(list(metrics)):
        for name, value in part.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def _accumulate(
    parts: Parts,
    grads: types.PyTree,
    params: types.PyTree,
    trainable: types.PyTree,
    anchor_states: AnchorStates,
    batch: contracts.MicroBatch,
    tokens: jax.Array,
) -> tuple[types.PyTree, Metrics, jax.Array]:
    def loss_of(trainable: types.PyTree) -> tuple[jax.Array, tuple[Metrics, jax.Array]]:
        logits = _logits(parts, params, trainable, batch)
        reference = parts.forward({"params": params}, batch.inputs)
        outputs = contracts.Outputs(logits, reference, batch.tokens, batch.mask)
        sums = _token_sums(parts, anchor_states, outputs, batch)
        shares = {name: value / tokens for name, value in sums.items()}
        return shares["loss"], (shares, logits)

    (_, (metrics, logits)), new = jax.value_and_grad(loss_of, has_aux=True)(trainable)
    return jax.tree.map(jnp.add, grads, new), metrics, logits


def _apply(
    parts: Parts,
    grads: types.PyTree,
    trainable: types.PyTree,
    opt_state: types.PyTree,
    anchor_states: AnchorStates,
) -> tuple[types.PyTree, types.PyTree, Metrics]:
    def penalty_of(trainable: types.PyTree) -> tuple[jax.Array, Metrics]:
        penalties = {
            f"anchor/{name}": _penalty(name, anchor, trainable, anchor_states[name])
            for name, anchor in parts.anchors.items()
        }
        loss = sum(penalties.values(), jnp.zeros(()))
        return loss, {"loss": loss, **penalties}

    (_, metrics), pulls = jax.value_and_grad(penalty_of, has_aux=True)(trainable)
    grads = jax.tree.map(jnp.add, grads, pulls)
    changes, opt_state = parts.optimizer.update(grads, opt_state, trainable)
    norms = {"grad_norm": optax.global_norm(grads), "update_norm": optax.global_norm(changes)}
    return optax.apply_updates(trainable, changes), opt_state, metrics | norms


def _penalty(
    name: str, anchor: contracts.Anchor, trainable: types.PyTree, state: types.PyTree
) -> jax.Array:
    with errors.during(f"anchor {name!r} was giving its penalty"):
        value = anchor.penalty(trainable, state)
    return _shaped(f"the penalty of anchor {name!r} must be a scalar", value, ())


def _shaped(demand: str, value: Any, shape: tuple[int, ...]) -> jax.Array:
    """Return a plug-in's value as an array; a wrong shape would be broadcast without a word."""
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise contracts.ContractError(f"{demand}, got {reprlib.repr(value)}") from error
    if array.shape != shape:
        raise contracts.ContractError(f"{demand}, got shape {array.shape}")
    return array


def _logits(
    parts: Parts, params: types.PyTree, trainable: types.PyTree, batch: contracts.MicroBatch
) -> jax.Array:
    return parts.forward(parts.adapter.bind(params, trainable), batch.inputs)


def _divergence(
    parts: Parts,
    params: types.PyTree,
    trainable: types.PyTree,
    batch: contracts.MicroBatch,
    before: jax.Array,
) -> jax.Array:
    logits = _logits(parts, params, trainable, batch)
    return jnp.mean(likelihood.divergence(logits, before), where=batch.mask)


def _token_sums(
    parts: Parts,
    anchor_states: AnchorStates,
    outputs: contracts.Outputs,
    batch: contracts.MicroBatch,
) -> Metrics:
    """Return the loss with its penalties, and every statistic, summed over unmasked tokens."""

    def masked_sum(what: str, values: jax.Array) -> jax.Array:
        shape = batch.mask.shape
        array = _shaped(f"{what} must be one value per token, of shape {shape}", values, shape)
        return jnp.sum(jnp.where(batch.mask, array, 0.0))

    # A padded position may hold any token: its ratio must not overflow before it is masked out.
    logprobs = jnp.where(batch.mask, likelihood.token_logprobs(outputs.logits, batch.tokens), 0.0)
    with errors.during("the objective was giving its loss and statistics"):
        losses, statistics = parts.objective.loss(logprobs, batch)
    penalties = {}
    for name, anchor in parts.anchors.items():
        if name in anchor_states:
            with errors.during(f"anchor {name!r} was giving its token_penalty"):
                values = anchor.token_penalty(anchor_states[name], outputs)
            penalties[f"anchor/{name}"] = masked_sum(f"token_penalty of anchor {name!r}", values)
    loss = masked_sum("the objective's loss", losses) + sum(penalties.values(), jnp.zeros(()))
    sums = {
        name: masked_sum(f"the objective's statistic {name!r}", values)
        for name, values in statistics.items()
    }
    return {"loss": loss, **penalties, **sums}
