"""Batched sampling and scoring: requests in, completions and costs out.

Requests with the same prefix form a group, whose prefix is read once; a group is cut into chunks,
whose questions are packed into rows of bucketed shapes. Results come back in the order of the
requests.

Randomness. A row's noise depends on its seed and the step alone, so a sample is a function of
(weights, request): neighbours, position and chunking do not enter. What can enter is rounding, as
XLA may sum in another order for another shape: logits then differ by about 1e-6 relative in float32
(1e-2 in bfloat16), and a token changes only if its noisy lead over the runner-up is smaller.

Programs. One program per function, shapes of the padded axes, and structure of the variables. An
axis of lengths up to n has about steps * log2(n / smallest) buckets (batch.Buckets.count), so a run
compiles at most the product of these counts, however many requests it makes: `Engine.programs`
counts. Unstacking layers is one program. Prefilling a prefix depends on its length alone, and all
else sees it in coarser buckets. Prefilling questions depends on packed rows and their width, on the
number of cached questions and a coarser bucket of their length; decoding, which takes longest to
compile, on the last two, requests and completion; scoring on packed rows and their width, requests
and completion twice (tokens that predict, tokens that are predicted); reading completions on the
same but for the last, and divergences of two readings on requests and completion alone.
"""

from __future__ import annotations

import collections
import itertools
import math
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import jax
import numpy as np

from fastslow import errors, types
from fastslow.lm import attention, batch, chunks, decoder, decoding, model, packing, scoring

T = TypeVar("T")
Work: TypeAlias = Callable[[attention.PrefixCache, list[int]], Sequence[T]]
Choices: TypeAlias = Sequence[Sequence[batch.Tokens]]  # per request, any number


class VocabularyError(errors.UserError, ValueError):
    """A text has tokens that the model has no embeddings of."""


class Request(NamedTuple):
    """What to complete. Requests with equal prefixes share its cost."""

    prefix: tuple[int, ...]
    question: tuple[int, ...]
    seed: int


class Reading(NamedTuple):
    """What a model makes of completions, for `Engine.divergence` from what another one does."""

    variables: decoder.Variables
    states: Sequence[np.ndarray]  # float32 (n, D) for each completion of n tokens


class _Wanted(NamedTuple):
    """Packed rows, and what to look up behind them (see `scoring.logprobs`)."""

    rows: batch.Rows
    predictors: np.ndarray
    targets: scoring.Targets


# Weights are always arguments: a jitted function that closes over them folds them as constants.
_prefill_prefix = jax.jit(scoring.prefill_prefix, static_argnums=(0, 1))
_prefill_questions = jax.jit(decoding.prefill_questions, static_argnums=(0, 1))
_unstack_layers = jax.jit(decoding.unstack_layers, static_argnums=0)
_decode = jax.jit(decoding.decode, static_argnums=(0, 1))
_logprobs = jax.jit(scoring.logprobs, static_argnums=0)
_states = jax.jit(scoring.states, static_argnums=0)
_divergences = jax.jit(scoring.divergences, static_argnums=0)


class Engine:
    """Runs a model's decoder on batches. Holds no weights: `variables` are always an argument."""

    def __init__(
        self, language_model: model.LanguageModel, settings: chunks.Settings | None = None
    ):
        self._config = language_model.config
        self._chat = language_model.chat
        self._settings = settings or chunks.Settings()
        self._stop_tokens = np.array(sorted(language_model.chat.stop_tokens), np.int32)
        self._programs: set[Hashable] = set()

    @property
    def programs(self) -> int:
        """How many programs this engine has needed so far: distinct functions and shapes."""
        return len(self._programs)

    def unstack_layers(self, variables: decoder.Variables) -> decoding.Layers:
        """Return a copy of the weights layer by layer, as decoding needs them.

        It takes as long as sampling a token or two.
        """
        layers: decoding.Layers = self._run(_unstack_layers, self._config, variables)
        return layers

    def generate(
        self,
        variables: decoder.Variables,
        requests: Sequence[Request],
        *,
        temperature: float,
        max_tokens: int,
        layers: decoding.Layers | None = None,
    ) -> tuple[list[types.Completion], types.Cost]:
        """Complete every request with at most `max_tokens` tokens; temperature 0 is greedy.

        `layers`: what `unstack_layers` returned for these variables, where they answer repeatedly.
        A completion ends with its stop token if one came. Log-probabilities are those of the
        untempered distribution. Raises ValueError for an empty question, for a prompt that leaves
        no room for max_tokens in the model's context, and for values out of range.
        """
        if max_tokens < 1 or temperature < 0:
            raise ValueError(f"need {max_tokens=} >= 1 and {temperature=} >= 0")

        def work(prefix: attention.PrefixCache, chunk: list[int]) -> list[types.Completion]:
            rows = [requests[i] for i in chunk]
            prefilled = self._prefill_questions(variables, prefix, rows)
            options = self._options(rows, temperature, max_tokens)
            capacity = self._settings.buckets.completion.fit(max_tokens)
            sampled = self._run(
                _decode, self._config, capacity, variables, layers, prefilled, options
            )
            return self._completions(sampled, len(rows))

        started = time.perf_counter()
        room = [max_tokens] * len(requests)
        self._check_context(requests, room)
        if layers is None and requests:
            layers = self.unstack_layers(variables)
        completions, read = self._batched(variables, requests, room, work, reads_equal_once=True)
        sampled_tokens = sum(len(completion.tokens) for completion in completions)
        return completions, self._cost(read, sampled_tokens, started)

    def score(
        self,
        variables: decoder.Variables,
        requests: Sequence[Request],
        completions: Sequence[batch.Tokens],
    ) -> tuple[list[np.ndarray], types.Cost]:
        """Return the log-probability of every token of one completion per request, float32 (n,)."""
        scored, cost = self._score(variables, requests, [[tokens] for tokens in completions])
        return [logprobs for (logprobs,) in scored], cost

    def score_choices(
        self, variables: decoder.Variables, requests: Sequence[Request], choices: Choices
    ) -> tuple[list[np.ndarray], types.Cost]:
        """Return log p(choice | request) of every choice, float32 (choices,), per request.

        Each question is read once, whatever the number of its choices.
        """
        scored, cost = self._score(variables, requests, choices)
        return [np.array([np.sum(c) for c in row], np.float32) for row in scored], cost

    def read(
        self,
        variables: decoder.Variables,
        requests: Sequence[Request],
        completions: Sequence[batch.Tokens],
    ) -> tuple[Reading, types.Cost]:
        """Read one completion per request; raises ValueError for an empty one."""

        def work(prefix: attention.PrefixCache, chunk: list[int]) -> list[np.ndarray]:
            built = self._wanted(requests, [[tokens] for tokens in completions], chunk)
            states = self._run(
                _states, self._config, variables, prefix, built.rows, built.predictors
            )
            return [
                row[: len(completions[i])].copy()
                for i, row in zip(chunk, np.asarray(states), strict=False)
            ]

        started = time.perf_counter()
        behind = self._check_completions(requests, [[tokens] for tokens in completions])
        states, tokens = self._batched(variables, requests, behind, work)
        return Reading(variables, states), self._cost(tokens + sum(behind), 0, started)

    def divergence(self, p: Reading, q: Reading) -> tuple[float, float]:
        """Return KL(p || q) and KL(q || p) of the next-token distributions, in nats per token.

        `p` and `q` are readings of the same completions. Exact sums over the vocabulary, averaged
        over all tokens: a long completion counts for more than a short one. NaN without any.
        """
        if not p.states:
            return math.nan, math.nan
        means: list[tuple[float, float]] = []  # of each completion, over its tokens
        width = self._settings.buckets.completion.fit(batch.longest(p.states))
        for start in range(0, len(p.states), self._settings.max_rows):
            chunk = slice(start, start + self._settings.max_rows)
            rows = self._settings.buckets.requests.fit(len(p.states[chunk]))
            streams = tuple(batch.stacked(reading.states[chunk], rows, width) for reading in (p, q))
            counts = batch.lengths(p.states[chunk], rows)
            both = (p.variables, q.variables)
            pairs = self._run(_divergences, self._config, both, streams, counts)
            means += list(zip(*map(np.asarray, pairs), strict=True))[: len(p.states[chunk])]
        tokens = [len(states) for states in p.states]
        forward, backward = (float(np.average(m, weights=tokens)) for m in np.array(means).T)
        return forward, backward

    def _score(
        self, variables: decoder.Variables, requests: Sequence[Request], choices: Choices
    ) -> tuple[list[list[np.ndarray]], types.Cost]:
        """Return the log-probabilities of the tokens of every choice of every request."""

        def work(prefix: attention.PrefixCache, chunk: list[int]) -> list[list[np.ndarray]]:
            built = self._wanted(requests, choices, chunk)
            scored = self._run(_logprobs, self._config, variables, prefix, *built)
            return [
                packing.split(logprobs, choices[i])
                for i, logprobs in zip(chunk, np.asarray(scored), strict=False)
            ]

        started = time.perf_counter()
        behind = self._check_completions(requests, choices)
        scored, read = self._batched(variables, requests, behind, work)
        return scored, self._cost(read + sum(behind), 0, started)

    def _batched(
        self,
        variables: decoder.Variables,
        requests: Sequence[Request],
        behind: Sequence[int],
        work: Work[T],
        reads_equal_once: bool = False,
    ) -> tuple[list[T], int]:
        """Do `work` chunk by chunk with its prefix read.

        `behind`: how many tokens follow each question. Returns results in the order of requests,
        and how many tokens were read of prefixes (once per group) and of questions: of equal ones
        in a chunk all, or one if `work` reads them once.
        """
        prefixes = [request.prefix for request in requests]
        questions = [request.question for request in requests]
        lengths = [len(q) + more for q, more in zip(questions, behind, strict=True)]
        results: dict[int, T] = {}
        tokens = 0
        for group in chunks.plan(prefixes, questions, lengths, self._settings):
            cache = self._prefill_prefix(variables, group.prefix)
            tokens += len(group.prefix)
            for chunk in group.chunks:
                asked = [questions[i] for i in chunk]
                tokens += sum(map(len, set(asked) if reads_equal_once else asked))
                results.update(zip(chunk, work(cache, chunk), strict=True))
        return [results[i] for i in range(len(requests))], tokens

    def _check_context(self, requests: Sequence[Request], room: Sequence[int]) -> None:
        """Raise for a request that the model cannot read with `room` tokens after it.

        ContextError for one that is too long, VocabularyError for tokens it has no embedding of,
        ValueError for an empty question.
        """
        context = self._config.max_context
        for number, (request, more) in enumerate(zip(requests, room, strict=True)):
            if not request.question:
                raise ValueError(f"request {number} has an empty question: nothing to continue")
            prompt = len(request.prefix) + len(request.question)
            if prompt + more > context:
                raise errors.ContextError(
                    f"request {number} needs {prompt} prompt + {more} completion tokens, "
                    f"the model's context holds {context}"
                )
            self._check_vocabulary(number, [request.prefix, request.question])

    def _check_vocabulary(self, number: int, texts: Iterable[batch.Tokens]) -> None:
        highest = max(itertools.chain(*texts))
        if highest >= self._config.vocab_size:  # an index beyond the end would read the last
            raise VocabularyError(
                f"request {number} holds the token {highest}, and the model has embeddings of "
                f"{self._config.vocab_size}: its tokenizer has tokens that it was not given"
            )

    def _check_completions(self, requests: Sequence[Request], choices: Choices) -> list[int]:
        """Return how many completion tokens of each request are read.

        Raises like `_check_context`, of the completions too; ValueError for an empty one.
        """
        if len(requests) != len(choices):
            raise ValueError(f"{len(requests)} requests but completions for {len(choices)}")
        for number, completions in enumerate(choices):
            if not completions or not all(len(tokens) for tokens in completions):
                raise ValueError(f"request {number} has no completion, or an empty one, to score")
            self._check_vocabulary(number, completions)
        self._check_context(requests, [batch.longest(completions) for completions in choices])
        return [packing.read_tokens(completions) for completions in choices]

    def _run(self, program: Any, *args: Any) -> Any:
        """Call a jitted function and count it if its shapes are new."""
        leaves, structure = jax.tree.flatten(args)
        shapes = [(x.shape, x.dtype) if hasattr(x, "shape") else x for x in leaves]
        self._programs.add((program, structure, *shapes))
        return program(*args)

    def _prefill_prefix(
        self, variables: decoder.Variables, prefix: batch.Tokens
    ) -> attention.PrefixCache:
        width = self._settings.buckets.prefix.fit(len(prefix))
        cache: attention.PrefixCache = self._run(
            _prefill_prefix,
            self._config,
            self._settings.prefix_cache.fit(width),
            variables,
            batch.pad_right([prefix], 1, width)[0],
            np.asarray(len(prefix), np.int32),
        )
        return cache

    def _prefill_questions(
        self, variables: decoder.Variables, prefix: attention.PrefixCache, rows: Sequence[Request]
    ) -> decoding.Prefilled:
        """Read every different question once, for its requests to share its cache.

        `rows` has equal questions next to each other (`chunks.plan`). Caches are shared by equal
        numbers of requests: a question that comes more often than others has several.
        """
        buckets = self._settings.buckets
        times = collections.Counter(request.question for request in rows)
        packed = packing.pack(list(times), [()] * len(times), buckets)
        count = buckets.requests.fit(len(rows))
        answers = math.gcd(count, *times.values())
        shared = [request.question for request in rows[::answers]]
        places = dict(zip(times, packed.ends.tolist(), strict=True))
        ends = np.zeros(count // answers, np.int32)
        ends[: len(shared)] = [places[question] for question in shared]
        return self._run(
            _prefill_questions,
            self._config,
            self._settings.question_cache.fit(batch.longest(shared)),
            variables,
            prefix,
            packed.rows,
            decoding.Questions(ends, batch.lengths(shared, len(ends))),
        )

    def _options(
        self, requests: Sequence[Request], temperature: float, max_tokens: int
    ) -> decoding.SamplingOptions:
        seeds = np.zeros(self._settings.buckets.requests.fit(len(requests)), np.uint32)
        seeds[: len(requests)] = [request.seed % 2**32 for request in requests]
        limit = np.asarray(max_tokens, np.int32)
        return decoding.SamplingOptions(
            seeds, np.asarray(temperature, np.float32), limit, self._stop_tokens
        )

    def _completions(self, sampled: decoding.Sampled, count: int) -> list[types.Completion]:
        """Cut the first `count` rows to their lengths and decode them."""
        tokens, logprobs, lengths, finished = map(np.asarray, sampled)
        completions = []
        for row in range(count):
            length, ended = int(lengths[row]), bool(finished[row])
            text = self._chat.decode(tokens[row, :length].tolist())
            completions.append(
                types.Completion(
                    text, tokens[row, :length].copy(), logprobs[row, :length].copy(), ended
                )
            )
        return completions

    def _wanted(
        self, requests: Sequence[Request], choices: Choices, chunk: Sequence[int]
    ) -> _Wanted:
        """Lay out a chunk's questions with their completions, and what these are to predict."""
        buckets = self._settings.buckets
        completions = [choices[i] for i in chunk]
        packed = packing.pack([requests[i].question for i in chunk], completions, buckets)
        ends = packed.ends.tolist()
        targets = [packing.targets(end, c) for end, c in zip(ends, completions, strict=True)]
        # A question's last token predicts the first token of every completion: one slot for all.
        predictors = [list(dict.fromkeys(wanted.predictors)) for wanted in targets]
        slots = [
            [index - end for index in wanted.predictors]
            for wanted, end in zip(targets, ends, strict=True)
        ]
        rows = buckets.requests.fit(len(chunk))
        room = buckets.completion.fit(batch.longest(predictors))
        width = buckets.completion.fit(batch.longest(slots))
        return _Wanted(
            packed.rows,
            batch.pad_right(predictors, rows, room),
            scoring.Targets(
                batch.pad_right(slots, rows, width),
                batch.pad_right([wanted.tokens for wanted in targets], rows, width),
            ),
        )

    def _cost(self, prompt_tokens: int, completion_tokens: int, started: float) -> types.Cost:
        return types.Cost(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            flops=self._config.forward_flops(prompt_tokens + completion_tokens),
            seconds=time.perf_counter() - started,
        )
