"""Gather what one step learns from: sampled answers with advantages, or the examples' targets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from fastslow import seeds, types
from fastslow.evaluation import scorers
from fastslow.fast import prompt as prompt_lib
from fastslow.lm import engine as engine_lib
from fastslow.slow import contracts

_EPSILON = 1e-6  # on the standard deviation of rewards in [0, 1]


def rollouts(
    sampler: contracts.Sampler,
    prompts: Sequence[types.Prompt],
    examples: Sequence[types.Example],
    seed: int,
) -> contracts.Experience:
    """Sample `sampler.rollouts` answers per example at temperature 1 and weigh them by advantage.

    Every example uses each of the prompts equally often (see `usable`), and all its answers form
    one advantage group, whatever their prompt (arXiv 2605.12484). The engine's log-probabilities
    are pi_old. Groups whose rewards are all equal end up in `silent_rows`: with a
    single answer per example, all of them.
    """
    prompts = usable(prompts, sampler.rollouts)
    encoded = [_encode(sampler, prompt, example) for example in examples for prompt in prompts]
    repeats = sampler.rollouts // len(prompts)
    requests = [
        engine_lib.Request(prefix, question, seeds.derive(seed, "rollout", number, repeat))
        for number, (prefix, question) in enumerate(encoded)
        for repeat in range(repeats)
    ]
    completions, cost = sampler.engine.generate(
        sampler.variables, requests, temperature=1.0, max_tokens=sampler.max_tokens
    )
    values = [
        scorers.score(sampler.scorer, completion.answer, examples[number // sampler.rollouts]).value
        for number, completion in enumerate(completions)
    ]
    rewards = np.reshape(values, (len(examples), sampler.rollouts))
    cost += types.Cost(metric_calls=len(values))
    gathered = _group(requests, completions, rewards, cost)
    return gathered._replace(rewards=rewards.reshape(len(examples), len(prompts), repeats))


def targets(
    sampler: contracts.Sampler,
    prompts: Sequence[types.Prompt],
    examples: Sequence[types.Example],
    seed: int,
) -> contracts.Experience:
    """Take the examples' targets as rows of advantage 1, once under each usable prompt."""
    del seed  # nothing is sampled
    rows = []
    for example, prompt in itertools.product(examples, usable(prompts, sampler.rollouts)):
        request = engine_lib.Request(*_encode(sampler, prompt, example), seed=0)
        tokens = sampler.chat.encode_answer(example.target)
        rows.append(contracts.Row(request, tokens, np.zeros(len(tokens), np.float32), 1.0))
    return contracts.Experience(tuple(rows), (), len(examples), 0, math.nan, types.Cost())


def usable(prompts: Sequence[types.Prompt], rollouts: int) -> Sequence[types.Prompt]:
    """Return the first n prompts, n the largest divisor of `rollouts` not above their number.

    So every problem can use each prompt exactly rollouts / n times. Callers put their best prompts
    first. Raises ValueError when there is no prompt.
    """
    if not prompts:
        raise ValueError("the prompt population is empty: nothing to roll out with")
    return prompts[: max(n for n in range(1, len(prompts) + 1) if rollouts % n == 0)]


def group_advantages(rewards: np.ndarray) -> np.ndarray:
    """Return (r - mean) / (std + 1e-6) within each row of (groups, G), population std."""
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    return centred / (rewards.std(axis=1, keepdims=True) + _EPSILON)


def zero_variance(rewards: np.ndarray) -> np.ndarray:
    """Return which groups (groups,) of (groups, G) have rewards that are all equal.

    The comparison is exact; a standard deviation need not be 0 where the mean is rounded.
    """
    equal: np.ndarray = rewards.max(axis=1) == rewards.min(axis=1)
    return equal


def _encode(
    sampler: contracts.Sampler, prompt: types.Prompt, example: types.Example
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    prefix, question = sampler.chat.encode(prompt_lib.messages(prompt, example.input))
    return prefix, question


def _group(
    requests: Sequence[engine_lib.Request],
    completions: Sequence[types.Completion],
    rewards: np.ndarray,
    cost: types.Cost,
) -> contracts.Experience:
    """Attach advantages, and separate the zero-variance groups."""
    silent = zero_variance(rewards)
    advantages = np.where(silent[:, None], 0.0, group_advantages(rewards)).ravel()
    rows = [
        contracts.Row(
            request, tuple(completion.tokens.tolist()), completion.logprobs, float(advantage)
        )
        for request, completion, advantage in zip(requests, completions, advantages, strict=True)
    ]
    is_silent = np.repeat(silent, rewards.shape[1])
    return contracts.Experience(
        rows=tuple(itertools.compress(rows, ~is_silent)),
        silent_rows=tuple(itertools.compress(rows, is_silent)),
        groups=len(rewards),
        silent_groups=int(silent.sum()),
        reward=float(rewards.mean()),
        cost=cost,
    )
