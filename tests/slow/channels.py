"""Gradient channels on a tiny language model, and what their tests do with them."""

import functools

import jax
import numpy as np

from fastslow import types
from fastslow.lm import engine as engine_lib
from fastslow.lm import loading
from fastslow.slow import batching, channel
from fastslow.slow import settings as settings_lib
from fastslow.slow.adapters import ADAPTERS
from fastslow.slow.anchors import ANCHORS
from fastslow.slow.objectives import OBJECTIVES

EXAMPLES = tuple(types.Example(str(i), f"number {i}?", str(i % 10)) for i in range(96))

# Of equal length: every shape that differs is a program to compile.
PROMPTS = (types.Prompt("Answer by a digit."), types.Prompt("Write digits only."))


@functools.cache
def model():
    return loading.load("tiny-random", dtype="float32")


@functools.cache
def engine():
    return engine_lib.Engine(model())


def starts_with_digit(text, example):
    return types.Score(float(text[:1].isdigit()), "")


def half_silent(text, example):
    """Score the first four examples by their digits, and the others all alike."""
    return types.Score(float(text[:1].isdigit()) if int(example.id) < 4 else 1.0, "")


def build(objective="cispo", adapter="lora", anchors=None, scorer=starts_with_digit, **settings):
    task = types.Task("digits", EXAMPLES, EXAMPLES, EXAMPLES, scorer)
    settings = {
        "rollouts": 4,
        "max_tokens": 4,
        "learning_rate": 1e-2,
        "warmup_steps": 0,
        "micro_rows": 8,
    } | settings
    return channel.GradientChannel(
        model=model(),
        engine=engine(),
        tasks={"digits": task},
        prompts_of=lambda fast, name: PROMPTS,
        adapter=ADAPTERS.build(adapter),
        objective=OBJECTIVES.build(objective),
        anchors=anchors or {},
        settings=settings_lib.Settings(**settings),
    )


@functools.cache
def shared(objective="cispo"):
    """Channels whose compiled programs many tests use."""
    return build(objective, anchors={"kl": ANCHORS.build("kl_exact"), "l2": ANCHORS.build("l2sp")})


def absorb(learner, state, budget=2, seed=0, examples=EXAMPLES[:16]):
    lesson = types.Lesson(0, "digits", examples)
    return learner.absorb(types.ModelState(state, None), lesson, budget, seed)


def assert_same(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    jax.tree.map(np.testing.assert_array_equal, left, right)


def differs(left, right):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return any(not np.array_equal(a, b) for a, b in pairs)


def train_tokens(learner, rows):
    return batching.train_tokens(batching.micro_batches(rows, learner.settings.micro_rows))


def drift(learner, before, after):
    """Exact KL(after || before) over fresh completions, in nats per token."""
    requests = [
        engine_lib.Request(*model().chat.encode([types.Message("user", e.input)]), seed=i)
        for i, e in enumerate(EXAMPLES[:8])
    ]
    variables = learner.variables(after)
    completions, _ = engine().generate(variables, requests, temperature=1.0, max_tokens=4)
    tokens = [c.tokens.tolist() for c in completions]
    both = (variables, learner.variables(before))
    forward, _ = engine().divergence(*(engine().read(v, requests, tokens)[0] for v in both))
    return forward
