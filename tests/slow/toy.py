"""Tiny models for the slow channel's tests: one for formulas, one for tokens, a real decoder."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from fastslow.lm import batch as lm_batch
from fastslow.lm import config, decoder
from fastslow.lm import engine as engine_lib
from fastslow.slow import contracts, training, update
from fastslow.slow.adapters import ADAPTERS
from fastslow.slow.objectives import OBJECTIVES

VOCABULARY, WIDTH, LAYERS = 19, 8, 2
MODULES = ("q", "v", "up", "down")
PREFIX_ONLY = 18  # a token that no question and no completion holds
DECODER = config.DecoderConfig(
    vocab_size=VOCABULARY,
    width=WIDTH,
    layers=LAYERS,
    heads=2,
    kv_heads=1,
    head_dim=4,
    ffn_width=12,
    rope=config.Rope(theta=10000.0),
    norm_eps=1e-5,
    qkv_bias=False,
    qk_norm=False,
    tied=True,
    max_context=64,
)


@functools.cache
def params():
    """Parameters of the token model, shaped like a decoder's."""
    rng = np.random.default_rng(0)
    square = (LAYERS, WIDTH, WIDTH)
    return {
        "embed": {"embedding": _normal(rng, (VOCABULARY, WIDTH), 1.0)},
        "final_norm": {"scale": jnp.ones(WIDTH)},
        "blocks": {name: {"kernel": _normal(rng, square, WIDTH**-0.5)} for name in MODULES},
    }


# GPUs would round float32 to TF32.
product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


def forward(variables, inputs):
    """Logits (N, V) of a token model that compiles fast.

    It reads the mean embedding of the prefix, that of the question, and the token before, and sends
    their sum through residual layers of all the modules an adapter may target.
    """
    base, deltas = variables["params"], variables.get("lora", {"blocks": {}})["blocks"]
    embedding = base["embed"]["embedding"]

    def mean(tokens, mask):
        total = jnp.sum(embedding[tokens] * mask[..., None], -2)
        return total / jnp.maximum(mask.sum(-1), 1)[..., None]

    def apply(x, name, layer):
        out = product(x, base["blocks"][name]["kernel"][layer])
        if name in deltas:
            out += product(product(x, deltas[name]["a"][layer]), deltas[name]["b"][layer])
        return out

    rows = inputs.rows
    row = jnp.broadcast_to(jnp.arange(rows.tokens.shape[0])[:, None], rows.tokens.shape)
    of_row, sequences, branches, tokens = (
        jnp.asarray(part).ravel() for part in (row, rows.sequences, rows.branches, rows.tokens)
    )
    own = (of_row == of_row[inputs.predictors][:, None]) & (
        sequences == sequences[inputs.predictors][:, None]
    )
    prefix = mean(inputs.prefix, jnp.arange(inputs.prefix.shape[0]) < inputs.prefix_length)
    question = mean(tokens, own & (branches == lm_batch.TRUNK))
    x = embedding[tokens[inputs.predictors]] + question + prefix
    for layer in range(LAYERS):
        for name in MODULES:
            x = x + jnp.tanh(apply(x, name, layer))
    return product(x * base["final_norm"]["scale"], embedding.T)


@functools.cache
def decoder_params():
    """Random parameters of a real decoder."""
    return decoder.init(DECODER, 0, jnp.float32)


decoder_forward = functools.partial(decoder.completion_logits, DECODER)


def linear_forward(variables, inputs):
    """Logits of a linear model: inputs (R, N, D) -> (R, N, V)."""
    return product(inputs, variables["params"]["kernel"])


def linear_batch(seed, rows=6, positions=4, width=5, vocab=7):
    """Random inputs of the linear model, with a ragged mask; pi_old is near, and often not, pi."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, positions + 1, rows)
    return contracts.MicroBatch(
        inputs=rng.normal(size=(rows, positions, width)).astype(np.float32),
        tokens=rng.integers(0, vocab, (rows, positions)).astype(np.int32),
        mask=np.arange(positions) < lengths[:, None],
        behaviour_logprobs=rng.uniform(-4, -1, (rows, positions)).astype(np.float32),
        advantages=rng.normal(size=(rows, positions)).astype(np.float32),
    )


def linear_params(seed, width=5, vocab=7):
    """A random kernel (D, V)."""
    kernel = np.random.default_rng(seed).normal(size=(width, vocab))
    return {"kernel": kernel.astype(np.float32)}


def rows(seed, count=6, prefixes=2, questions=None):
    """Random rows over a few prefixes, with lengths that differ; of `questions` questions if given.

    Without, nearly every row has a question of its own.
    """
    rng = np.random.default_rng(seed)
    heads = [(PREFIX_ONLY, *_tokens(rng, 3 + i)) for i in range(prefixes)]
    made = []
    for index in range(count):
        question, answer = _tokens(rng, rng.integers(1, 6)), _tokens(rng, rng.integers(1, 4))
        if questions is not None and index >= questions:
            question = made[index % questions].request.question
        request = engine_lib.Request(heads[index % prefixes], question, index)
        behaviour = rng.uniform(-4, -2, len(answer)).astype(np.float32)
        made.append(contracts.Row(request, answer, behaviour, float(rng.normal())))
    return tuple(made)


def parts(adapter="full", objective="cispo", anchors=None, forward=forward, rate=0.1):
    """Update parts with plain choices; `anchors` maps names to anchors."""
    return update.Parts(
        forward,
        ADAPTERS.build(adapter),
        OBJECTIVES.build(objective),
        anchors or {},
        update.adamw(rate, 0, 1.0, 0.0),
    )


def state(made, base, seed=0):
    """The state before any step."""
    trainable = made.adapter.init(seed, base)
    anchors = {name: anchor.init(trainable) for name, anchor in made.anchors.items()}
    return training.State(trainable, made.optimizer.init(trainable), anchors, jnp.int32(0))


def perturbed(tree, seed, scale=0.3):
    """The tree with normal noise on every leaf."""
    leaves, structure = jax.tree.flatten(tree)
    rng = np.random.default_rng(seed)
    noisy = [leaf + scale * rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves]
    return jax.tree.unflatten(structure, noisy)


def _normal(rng, shape, scale):
    return jnp.asarray(scale * rng.normal(size=shape), jnp.float32)


def _tokens(rng, count):
    return tuple(rng.integers(0, PREFIX_ONLY, count).tolist())
