"""What the parts of the slow channel exchange: tuples of pure functions, and data between them.

Shapes: N targets of a micro-batch (the tokens of its completions, one after the other, then
padding), V vocabulary entries. `Sampler`, `Row` and `Experience` stay outside of jitted functions;
everything else may enter them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from fastslow import errors, types
from fastslow.lm import batch as lm_batch
from fastslow.lm import engine as engine_lib
from fastslow.lm import model as model_lib

Variables: TypeAlias = Mapping[str, types.PyTree]  # Flax collections: "params", and "lora" if any
# (variables, inputs) -> logits (N, V)
Forward: TypeAlias = Callable[[Variables, Any], jax.Array]
Scalar: TypeAlias = jax.Array


class ContractError(errors.UserError, ValueError):
    """A plug-in gave what is not in its contract; the message says what it gave."""


class Adapter(NamedTuple):
    """How a small set of trainable numbers changes the base parameters.

    init(seed, params) -> trainable: f32 leaves that leave the model's function exactly as it is.
    bind(params, trainable) -> variables to run the model with.
    merge(params, trainable) -> dense params that compute the same without the adapter.
    """

    init: Callable[[int, types.PyTree], types.PyTree]
    bind: Callable[[types.PyTree, types.PyTree], Variables]
    merge: Callable[[types.PyTree, types.PyTree], types.PyTree]


class MicroBatch(NamedTuple):
    """Completions that go through one forward pass; padded targets have `mask` False."""

    inputs: Any  # what Forward takes: a batch.TokenBatch for language models
    tokens: lm_batch.Array  # (N,) int32, what the logits are to predict
    mask: lm_batch.Array  # (N,) bool
    behaviour_logprobs: lm_batch.Array  # (N,) f32, log pi_old(token); 0 for targets
    advantages: lm_batch.Array  # (N,) f32, one value per completion; 1 for targets


class Outputs(NamedTuple):
    """What the policy and the base model say of a micro-batch; the base has no gradient.

    XLA removes the base's forward pass when no anchor reads `reference_logits`.
    """

    logits: jax.Array  # (N, V) f32
    reference_logits: jax.Array  # (N, V) f32
    tokens: lm_batch.Array  # (N,) int32
    mask: lm_batch.Array  # (N,) bool


class Evidence(NamedTuple):
    """What an anchor may look at when a lesson is over, to weigh parameters or keep outputs.

    batches: those of the lesson's last step that had a signal.
    logits(trainable, batch) -> (N, V), jitted.
    """

    batches: tuple[MicroBatch, ...]
    logits: Callable[[types.PyTree, MicroBatch], jax.Array]


class Anchor(NamedTuple):
    """A regulariser. Its state is an argument of the jitted step: a moved anchor is never stale.

    init(trainable) -> state: a pytree of arrays.
    penalty(trainable, state): scalar, counted once per step.
    token_penalty(state, outputs): (N,), averaged over all tokens of the step, silent answers' too,
      which are run for it; `anchors.parts.no_token_penalty` says that there is none.
    consolidate(trainable, state, evidence) -> state: called after a lesson that moved the weights.
    """

    init: Callable[[types.PyTree], types.PyTree]
    penalty: Callable[[types.PyTree, types.PyTree], Scalar]
    token_penalty: Callable[[types.PyTree, Outputs], jax.Array]
    consolidate: Callable[[types.PyTree, types.PyTree, Evidence], types.PyTree]


class Sampler(NamedTuple):
    """A policy with frozen weights that answers questions, and the scorer of its answers."""

    engine: engine_lib.Engine
    chat: model_lib.Chat
    variables: Variables
    scorer: types.Scorer
    rollouts: int  # G: answers per problem, over all its prompts
    max_tokens: int  # of one answer


class Row(NamedTuple):
    """One completion to learn from."""

    request: engine_lib.Request
    tokens: tuple[int, ...]  # n >= 1
    behaviour_logprobs: np.ndarray  # (n,) f32
    advantage: float


class Experience(NamedTuple):
    """What one step learns from. The loss is a mean over all tokens, `rows` have its gradient.

    A group is silent (zero-variance) when its rewards are all equal: its rows have advantage 0 and
    add nothing to the objective's gradient, but count in the mean. Zero-variance rows are run only
    for anchors that penalise outputs (those apply to every answer), and kept to measure drift.
    `reward` is the mean over all completions, silent ones too, and NaN when nothing was sampled.
    `rewards` (groups, prompts, repeats) are all of them, the best prompt first, and None when
    nothing was sampled.
    """

    rows: tuple[Row, ...]
    silent_rows: tuple[Row, ...]
    groups: int
    silent_groups: int
    reward: float
    cost: types.Cost
    rewards: np.ndarray | None = None

    @property
    def tokens(self) -> int:
        """Tokens of all completions, silent ones too."""
        return sum(len(row.tokens) for row in (*self.rows, *self.silent_rows))


Collect: TypeAlias = Callable[
    [Sampler, Sequence[types.Prompt], Sequence[types.Example], int], Experience
]


class Objective(NamedTuple):
    """What to learn from and how: `collect` gathers rows, `loss` is differentiated.

    collect(sampler, prompts, examples, seed) -> Experience.
    loss(logprobs (N,), batch) -> (per-token loss (N,), {name: per-token statistic (N,)}):
      values at masked positions are ignored. Both are averaged over all tokens of the step, so that
      the gradient does not depend on how the step is cut into micro-batches; zero-variance answers
      count as tokens with a value of zero where no anchor needs them run.
    """

    collect: Collect
    loss: Callable[[jax.Array, MicroBatch], tuple[jax.Array, dict[str, jax.Array]]]
    fewest_rollouts: int = 1  # answers per problem below which it never has a signal
