import numpy as np
import pytest

from fastslow import types
from fastslow.fast import prompt_scorer
from tests.fast import toy


def make(policy, budget=100):
    return prompt_scorer.PromptScorer(
        policy, toy.score, budget=budget, temperature=0.0, max_tokens=4, seed=1
    )


def test_all_jobs_are_one_batch_and_every_call_is_counted():
    policy = toy.Policy()
    evaluate = make(policy)
    items = toy.examples(6, 0)
    other = types.Prompt("upper reverse double")
    answers = evaluate([(toy.SEED, items[:4]), (other, items)])
    assert policy.batches == [10]
    assert evaluate.cost == types.Cost(prompt_tokens=100, metric_calls=10)
    assert evaluate.remaining == 90
    assert [a.score.value for a in answers[0]] == [0.0] * 4
    assert [a.text for a in answers[1]] == [e.target for e in items]


def test_a_pair_seen_before_is_free_and_the_price_says_so():
    policy = toy.Policy()
    evaluate = make(policy)
    items = toy.examples(6, 0)
    evaluate([(toy.SEED, items[:4])])
    jobs = [(toy.SEED, items), (toy.SEED, items[2:])]
    assert evaluate.price(jobs) == 2
    assert [a.example for a in evaluate(jobs)[0]] == list(items)
    assert policy.batches == [4, 2]


def test_nothing_is_asked_beyond_the_budget():
    policy = toy.Policy()
    evaluate = make(policy, budget=5)
    with pytest.raises(prompt_scorer.BudgetError, match="6 metric calls wanted, 5 left"):
        evaluate([(toy.SEED, toy.examples(6, 0))])
    assert policy.batches == []


def test_an_example_has_one_seed_under_all_prompts():
    policy = toy.Policy()
    items = toy.examples(3, 0)
    make(policy)([(toy.SEED, items), (types.Prompt("Other."), items)])
    seeds = [query.seed for query in policy.queries]
    assert seeds[:3] == seeds[3:]
    assert len(set(seeds)) == 3


def test_an_answer_that_was_cut_is_not_the_right_one(monkeypatch):
    policy, (example,) = toy.Policy(), toy.examples(1, 0)
    cut = types.Completion(example.target, np.arange(2), np.zeros(2, np.float32), False)
    monkeypatch.setattr(policy, "complete", lambda *args, **how: ([cut], types.Cost()))
    ((answer,),) = make(policy)([(toy.SEED, [example])])
    assert answer.text == example.target + "…"
    assert answer.score.value == 0.0
