"""The engine against repeated full forward passes in float64."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastslow.lm import batch, chunks, decoder, engine
from tests.lm import numpy_decoder, small

# Few shapes, so that the tests compile little.
SETTINGS = chunks.Settings(
    max_rows=8,
    buckets=batch.BatchBuckets(
        prefix=batch.Buckets(16),
        width=batch.Buckets(32),
        rows=batch.Buckets(4),
        requests=batch.Buckets(8),
    ),
    prefix_cache=batch.Buckets(32),
    question_cache=batch.Buckets(32),
)
PREFIXES = ((1, 2, 3, 4, 5), (9, 8), ())
TOLERANCE = 5e-5


@functools.cache
def model(*stop_tokens: int):
    return small.language_model(stop_tokens)


def variables(seed: int | None = None) -> dict:
    base = {"params": model().params}
    return base if seed is None else {**base, "lora": small.lora(seed=seed)}


def make_engine(*stop_tokens: int, **settings) -> engine.Engine:
    return engine.Engine(model(*stop_tokens), chunks.Settings(**{**vars(SETTINGS), **settings}))


def make_requests(count: int, seed: int = 0) -> list[engine.Request]:
    rng = np.random.default_rng(seed)
    return [
        engine.Request(PREFIXES[i % 3], small.tokens(rng, 1 + (5 * i) % 13), 1000 + i)
        for i in range(count)
    ]


def exact_logprobs(request: engine.Request, completion) -> np.ndarray:
    """Log-probabilities (n, V) of every next token of a completion, in float64."""
    tokens = [*request.prefix, *request.question, *completion]
    logits = numpy_decoder.logits(small.CONFIG, model().params, tokens)
    start = len(request.prefix) + len(request.question) - 1
    return numpy_decoder.log_softmax(logits[start:-1])


def exact_greedy(request: engine.Request, count: int) -> list[int]:
    completion: list[int] = []
    for _ in range(count):
        tokens = [*request.prefix, *request.question, *completion]
        logits = numpy_decoder.logits(small.CONFIG, model().params, tokens)
        completion.append(int(logits[-1].argmax()))
    return completion


def test_greedy_is_the_argmax_of_repeated_full_forward_passes():
    requests = make_requests(7)
    completions, _ = make_engine().generate(variables(), requests, temperature=0, max_tokens=6)
    for request, completion in zip(requests, completions, strict=True):
        assert completion.tokens.tolist() == exact_greedy(request, 6)
        assert not completion.finished
        assert completion.text == " ".join(map(str, completion.tokens))


@pytest.mark.parametrize("tied", [True, False])
def test_bfloat16_decodes_with_either_head(tied):
    """Compilers move transposes into products, and not all can run what comes out of that."""
    shape = dataclasses.replace(small.CONFIG, tied=tied)
    params = decoder.init(shape, 0, jnp.dtype("bfloat16"))
    runner = engine.Engine(dataclasses.replace(model(), config=shape, params=params), SETTINGS)
    requests = make_requests(7)
    completions, _ = runner.generate({"params": params}, requests, temperature=1, max_tokens=6)
    scored, _ = runner.score({"params": params}, requests, [c.tokens for c in completions])
    for completion, scores in zip(completions, scored, strict=True):
        np.testing.assert_allclose(completion.logprobs, scores, atol=0.05)


def test_logprobs_are_untempered_and_agree_with_scoring_and_float64():
    requests = make_requests(7)
    runner = make_engine()
    completions, _ = runner.generate(variables(), requests, temperature=1.7, max_tokens=6)
    assert len({tuple(c.tokens) for c in completions}) > 3
    scored, _ = runner.score(variables(), requests, [c.tokens for c in completions])
    for request, completion, scores in zip(requests, completions, scored, strict=True):
        exact = exact_logprobs(request, completion.tokens)[np.arange(6), completion.tokens]
        assert scores.dtype == completion.logprobs.dtype == np.float32
        np.testing.assert_allclose(completion.logprobs, exact, atol=TOLERANCE)
        np.testing.assert_allclose(scores, exact, atol=TOLERANCE)


def test_a_sample_depends_on_weights_and_request_only():
    requests = make_requests(12)
    runner = make_engine()
    generate = functools.partial(runner.generate, variables(), temperature=1.0, max_tokens=6)
    together, _ = generate(requests)
    backwards, _ = generate(requests[::-1])
    alone = [generate([request])[0][0] for request in requests]
    other_chunks, _ = make_engine(max_rows=3).generate(
        variables(), requests, temperature=1.0, max_tokens=6
    )
    for results in (backwards[::-1], alone, other_chunks):
        for one, other in zip(together, results, strict=True):
            np.testing.assert_array_equal(one.tokens, other.tokens)
            np.testing.assert_allclose(one.logprobs, other.logprobs, atol=TOLERANCE)
    reseeded, _ = generate([request._replace(seed=request.seed + 50) for request in requests])
    assert any((a.tokens != b.tokens).any() for a, b in zip(together, reseeded, strict=True))
    longer, _ = runner.generate(variables(), requests, temperature=1.0, max_tokens=11)
    for one, other in zip(together, longer, strict=True):
        np.testing.assert_array_equal(one.tokens, other.tokens[:6])


@pytest.mark.parametrize("times", [(7, 1), (3, 3, 3), (8, 4, 4), (16,)])
def test_rollouts_of_a_question_share_it_and_sample_as_if_alone(times):
    rollouts = [
        question._replace(seed=seed)
        for question, count in zip(make_requests(len(times)), times, strict=True)
        for seed in range(count)
    ]
    runner = make_engine()
    generate = functools.partial(runner.generate, variables(), temperature=1.0, max_tokens=6)
    together, _ = generate(rollouts[::-1])
    for request, completion in zip(rollouts, together[::-1], strict=True):
        alone = generate([request])[0][0]
        np.testing.assert_array_equal(completion.tokens, alone.tokens)
        np.testing.assert_allclose(completion.logprobs, alone.logprobs, atol=TOLERANCE)
    assert len({tuple(c.tokens) for c in together[-times[0] :]}) > 2


def test_stop_tokens_end_a_completion_and_stay_out_of_its_text():
    requests = make_requests(12)
    free, _ = make_engine().generate(variables(), requests, temperature=1.0, max_tokens=9)
    stops = range(0, 61, 8)
    stopped, cost = make_engine(*stops).generate(
        variables(), requests, temperature=1.0, max_tokens=9
    )
    for one, other in zip(free, stopped, strict=True):
        hits = [i for i, token in enumerate(one.tokens) if token in stops]
        length = hits[0] + 1 if hits else 9
        assert other.tokens.tolist() == one.tokens[:length].tolist()
        assert len(other.logprobs) == length
        assert other.finished == bool(hits)
        assert other.text.split() == [str(t) for t in other.tokens[: length - bool(hits)]]
    assert len({len(completion.tokens) for completion in stopped}) > 3
    assert not all(completion.finished for completion in stopped)
    assert cost.completion_tokens == sum(len(completion.tokens) for completion in stopped)


def test_choices_score_as_if_each_was_alone():
    requests = make_requests(5)
    rng = np.random.default_rng(7)
    choices = [[small.tokens(rng, 1 + (i + j) % 4) for j in range(i + 1)] for i in range(5)]
    scored, _ = make_engine().score_choices(variables(), requests, choices)
    for request, candidates, scores in zip(requests, choices, scored, strict=True):
        exact = [exact_logprobs(request, c)[np.arange(len(c)), list(c)].sum() for c in candidates]
        np.testing.assert_allclose(scores, exact, atol=4 * TOLERANCE)


def test_probabilities_of_all_choices_sum_to_one():
    requests = make_requests(3)
    every_token = [[(token,) for token in range(61)]] * 3
    scored, _ = make_engine().score_choices(variables(), requests, every_token)
    np.testing.assert_allclose([np.exp(s).sum() for s in scored], 1.0, atol=1e-5)


def divergence(runner, p, q, requests, completions):
    return runner.divergence(*(runner.read(v, requests, completions)[0] for v in (p, q)))


def test_divergence_is_exact_in_both_directions():
    requests = make_requests(5)
    rng = np.random.default_rng(8)
    completions = [small.tokens(rng, n) for n in (1, 4, 2, 6, 3)]
    merged = jax.tree.map(np.asarray, model().params)
    for name, factors in small.lora(seed=3)["blocks"].items():
        product = np.einsum("lir,lro->lio", factors["a"], factors["b"])
        merged["blocks"][name]["kernel"] = merged["blocks"][name]["kernel"] + product
    runner, found, exact = make_engine(), [], []
    for request, completion in zip(requests, completions, strict=True):
        found.append(divergence(runner, variables(3), variables(), [request], [completion]))
        tokens = [*request.prefix, *request.question, *completion]
        start = len(request.prefix) + len(request.question) - 1
        log_p, log_q = (
            numpy_decoder.log_softmax(numpy_decoder.logits(small.CONFIG, p, tokens)[start:-1])
            for p in (merged, model().params)
        )
        forward = np.sum(np.exp(log_p) * (log_p - log_q), -1).mean()
        backward = np.sum(np.exp(log_q) * (log_q - log_p), -1).mean()
        exact.append((forward, backward))
        assert found[-1] == pytest.approx(exact[-1], rel=1e-4)
    forward, backward = np.transpose(found)
    assert np.abs(forward - backward).max() > 0.01
    together = divergence(runner, variables(3), variables(), requests, completions)
    every_token = np.average(exact, axis=0, weights=[1, 4, 2, 6, 3])
    assert together == pytest.approx(tuple(every_token), rel=1e-4)
    assert divergence(runner, variables(3), variables(3), requests, completions)[0] == 0.0
    cut = divergence(make_engine(max_rows=2), variables(3), variables(), requests, completions)
    assert cut == pytest.approx(together, rel=1e-4)


def test_weights_are_arguments_and_nothing_remembers_them():
    requests = make_requests(3)
    runner = make_engine()
    score = lambda v: np.concatenate(runner.score(v, requests, [(1, 2, 3)] * 3)[0])
    before, changed, after = score(variables(2)), score(variables(4)), score(variables(2))
    np.testing.assert_array_equal(before, after)
    assert np.abs(before - changed).max() > 0.1


def test_cost_counts_a_shared_prefix_once():
    requests = [engine.Request((1, 2, 3, 4), (5, 6), seed) for seed in range(10)]
    runner = make_engine(max_rows=4)
    completions, cost = runner.generate(variables(), requests, temperature=1.0, max_tokens=3)
    assert cost.prompt_tokens == 4 + 3 * 2  # the question once in each of three chunks
    assert cost.completion_tokens == sum(len(c.tokens) for c in completions) == 30
    assert cost.flops == 2 * small.CONFIG.multiplied_parameters * (10 + 30)
    assert cost.seconds > 0
    different = [request._replace(question=(5, n)) for n, request in enumerate(requests)]
    _, cost = runner.generate(variables(), different, temperature=1.0, max_tokens=3)
    assert cost.prompt_tokens == 4 + 10 * 2
    _, cost = runner.score(variables(), requests, [(1, 2)] * 10)
    assert (cost.prompt_tokens, cost.completion_tokens) == (24 + 10, 0)
    _, cost = runner.read(variables(), requests, [(1, 2)] * 10)
    assert cost.prompt_tokens == 24 + 10


def test_programs_stay_bounded_over_many_shapes():
    rng = np.random.default_rng(0)
    runner = make_engine()
    compiled = lambda: sum(
        program._cache_size()
        for program in (
            engine._prefill_prefix,
            engine._prefill_questions,
            engine._unstack_layers,
            engine._decode,
        )
    )
    before, counts = compiled(), []
    for _ in range(60):
        prefix = small.tokens(rng, rng.integers(0, 33))
        questions = [small.tokens(rng, n) for n in rng.integers(1, 33, rng.integers(1, 20))]
        requests = [engine.Request(prefix, question, 0) for question in questions]
        runner.generate(variables(), requests, temperature=0, max_tokens=int(rng.integers(1, 9)))
        counts.append(runner.programs)
    b = SETTINGS.buckets
    prefixes, widths, rows = b.prefix.count(32), b.width.count(64), b.rows.count(8)
    assert (prefixes, widths, rows, b.requests.count(8), b.completion.count(8)) == (2, 2, 2, 1, 1)
    seen, asked = SETTINGS.prefix_cache.count(32), SETTINGS.question_cache.count(32)
    read = seen * widths * rows * asked
    assert counts[-1] <= 1 + prefixes + read + seen * asked  # 1: unstacking the layers
    assert compiled() - before <= counts[-1]


def test_no_requests_cost_nothing():
    runner = make_engine()
    completions, cost = runner.generate(variables(), [], temperature=1.0, max_tokens=3)
    assert completions == []
    assert cost.prompt_tokens == cost.completion_tokens == cost.flops == 0
    assert np.isnan(divergence(runner, variables(), variables(), [], [])).all()


@pytest.mark.parametrize(
    ("request_", "max_tokens", "temperature", "message"),
    [
        (engine.Request((1,), (), 0), 3, 1.0, "request 0 has an empty question"),
        (engine.Request((1,) * 100, (2,) * 20, 0), 9, 1.0, "120 prompt . 9 .* holds 128"),
        (
            engine.Request((1,), (2, 4096), 0),
            3,
            1.0,
            "the token 4096, and the model has embeddings",
        ),
        (engine.Request((1,), (2,), 0), 0, 1.0, "max_tokens=0"),
        (engine.Request((1,), (2,), 0), 3, -1.0, "temperature=-1.0"),
    ],
)
def test_impossible_requests_are_refused(request_, max_tokens, temperature, message):
    with pytest.raises(ValueError, match=message):
        make_engine().generate(
            variables(), [request_], temperature=temperature, max_tokens=max_tokens
        )


def test_impossible_completions_are_refused():
    runner, request_ = make_engine(), engine.Request((1,), (2,), 0)
    with pytest.raises(ValueError, match="request 0 has no completion, or an empty one"):
        runner.score(variables(), [request_], [()])
    with pytest.raises(ValueError, match="request 0 has no completion"):
        runner.score_choices(variables(), [request_], [[]])
    with pytest.raises(ValueError, match="1 requests but completions for 2"):
        runner.read(variables(), [request_], [(1,), (2,)])
    with pytest.raises(ValueError, match="holds 128"):
        runner.score(variables(), [request_], [(1,) * 127])


def test_tokens_without_an_embedding_are_refused():
    beyond = small.CONFIG.vocab_size
    eng, request = make_engine(), engine.Request((), (1,), 0)
    for asked in (request._replace(question=(beyond,)), request._replace(prefix=(beyond,))):
        with pytest.raises(engine.VocabularyError, match=f"request 0 holds the token {beyond}"):
            eng.score(variables(), [asked], [(1,)])
    with pytest.raises(engine.VocabularyError, match=f"request 1 holds the token {beyond}"):
        eng.score_choices(variables(), [request, request], [[(1,)], [(1,), (2, beyond)]])
    with pytest.raises(engine.VocabularyError, match=f"request 0 holds the token {beyond}"):
        eng.read(variables(), [request], [(beyond,)])
