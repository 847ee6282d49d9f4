"""Gathering experience: prompts, groups and advantages, with a policy that is looked up."""

import collections

import numpy as np
import pytest

from fastslow import types
from fastslow.slow import contracts, experience

EXAMPLES = tuple(types.Example(str(i), f"question {i}", "yes") for i in range(3))
PROMPTS = tuple(types.Prompt(f"instruction {k}") for k in range(4))


class Chat:
    """Tokens are positions of texts seen so far; enough to tell requests apart."""

    def __init__(self):
        self.texts = {}

    def encode(self, messages):
        *earlier, last = [self.texts.setdefault(m, len(self.texts)) for m in messages]
        return tuple(earlier), (last,)

    def encode_answer(self, text):
        return (*text.encode(), 2)


class Engine:
    """Answers with the words given, in turn, and remembers what it was asked."""

    def __init__(self, words):
        self.words, self.requests = words, []

    def generate(self, variables, requests, *, temperature, max_tokens):
        assert temperature == 1.0
        self.requests += requests
        answers = [
            types.Completion(
                word.removesuffix("…"),
                np.arange(1 + i % 3),
                np.full(1 + i % 3, -0.5 - i, np.float32),
                not word.endswith("…"),
            )
            for i, (word, _) in enumerate(zip(self.words, requests, strict=True))
        ]
        return answers, types.Cost(prompt_tokens=7)


def scorer(text, example):
    return types.Score(float(text == example.target), "")


def collect(words, prompts=PROMPTS, rollouts=4, seed=0):
    engine, chat = Engine(words), Chat()
    sampler = contracts.Sampler(engine, chat, {}, scorer, rollouts, 8)
    gathered = experience.rollouts(sampler, prompts, EXAMPLES, seed)
    return gathered, engine, chat


def test_every_problem_uses_every_prompt_equally_often():
    _, engine, chat = collect(["no"] * 24, PROMPTS, 8)
    names = {token: message.content for message, token in chat.texts.items()}
    used = collections.Counter((names[r.question[0]], names[r.prefix[0]]) for r in engine.requests)
    assert set(used.values()) == {2}
    assert len(used) == 12


def test_answers_have_seeds_of_their_own_that_the_seed_decides():
    first, second, third = (
        [r.seed for r in collect(["no"] * 12, seed=s)[1].requests] for s in (0, 0, 1)
    )
    assert len(set(first)) == 12
    assert first == second
    assert not set(first) & set(third)


def test_one_group_per_problem_over_all_its_prompts():
    words = ["yes", "no", "no", "no"] + ["yes"] * 4 + ["no", "yes", "yes", "no"]
    gathered, engine, _ = collect(words)
    assert (gathered.groups, gathered.silent_groups) == (3, 1)
    assert len(gathered.rows) == 8
    assert [row.request for row in gathered.silent_rows] == engine.requests[4:8]
    deviation = np.sqrt(3) / 4
    want = np.array([0.75, -0.25, -0.25, -0.25]) / (deviation + 1e-6)
    np.testing.assert_allclose([row.advantage for row in gathered.rows[:4]], want)
    np.testing.assert_allclose([r.advantage for r in gathered.rows[4:]], [-1, 1, 1, -1], rtol=1e-5)
    assert gathered.reward == pytest.approx(7 / 12)
    assert gathered.cost == types.Cost(prompt_tokens=7, metric_calls=12)


def test_an_answer_that_was_cut_is_not_the_right_one():
    gathered, _, _ = collect(["yes", "yes…", "no", "no"] + ["no"] * 8)
    assert [row.advantage > 0 for row in gathered.rows] == [True, False, False, False]


def test_rows_keep_the_tokens_and_log_probabilities_of_their_own_answer():
    gathered, engine, _ = collect(["no"] * 8 + ["yes", "no", "no", "no"])
    for row in gathered.rows:
        index = engine.requests.index(row.request)
        assert len(row.tokens) == 1 + index % 3
        np.testing.assert_array_equal(row.behaviour_logprobs, np.float32(-0.5 - index))


def test_no_variance_is_exact_even_where_the_mean_is_rounded():
    rewards = np.full((1, 3), 0.1)
    assert rewards.std() > 0  # the trap
    sampler = contracts.Sampler(
        Engine(["a"] * 3), Chat(), {}, lambda t, e: types.Score(0.1, ""), 3, 8
    )
    gathered = experience.rollouts(sampler, PROMPTS[:1], EXAMPLES[:1], 0)
    assert (gathered.silent_groups, gathered.rows) == (1, ())


@pytest.mark.parametrize(
    ("prompts", "rollouts", "expected"), [(1, 8, 1), (3, 8, 2), (4, 8, 4), (4, 6, 3), (9, 4, 4)]
)
def test_usable_prompts_divide_the_rollouts(prompts, rollouts, expected):
    population = tuple(types.Prompt(str(i)) for i in range(prompts))
    assert experience.usable(population, rollouts) == population[:expected]


def test_an_empty_population_is_an_error():
    with pytest.raises(ValueError, match="population is empty"):
        experience.usable((), 4)


def test_advantages_are_standardised_by_the_population_deviation():
    rewards = np.random.default_rng(0).random((5, 8))
    got = experience.group_advantages(rewards)
    np.testing.assert_allclose(got.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(got.std(1), 1, rtol=1e-4)


def test_targets_pair_every_example_with_every_prompt_once():
    sampler = contracts.Sampler(None, Chat(), {}, scorer, 4, 8)
    gathered = experience.targets(sampler, PROMPTS, EXAMPLES, 0)
    assert len({row.request for row in gathered.rows}) == 12
    assert {row.tokens for row in gathered.rows} == {(*b"yes", 2)}
    assert {row.advantage for row in gathered.rows} == {1.0}
    assert np.isnan(gathered.reward)
    assert gathered.cost == types.Cost()
