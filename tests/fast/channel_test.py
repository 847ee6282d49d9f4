import dataclasses
import json
import pathlib
import random
import subprocess
import sys

import pytest

from fastslow import config, registry, types
from fastslow.fast import channel, population, proposers, validity
from fastslow.fast import prompt as prompt_lib
from fastslow.fast import settings as fast_settings
from fastslow.fast.proposers import contracts
from tests.fast import toy

SETTINGS = fast_settings.Settings(
    anchor_size=12, minibatch_size=6, proposals_per_step=4, max_tokens=4
)


def make(policy=None, tasks=None, **changes):
    tasks = tasks or {"toy": toy.task()}
    policy = policy or toy.Policy()
    return channel.build(tasks, lambda slow: policy, dataclasses.replace(SETTINGS, **changes))


def absorb(fast_channel, state=None, budget=150, seed=0, name="toy", index=0, count=48):
    state = fast_channel.init(0) if state is None else state
    lesson = toy.lesson(fast_channel.tasks[name], index, count)
    return fast_channel.absorb(types.ModelState(None, state), lesson, budget, seed)


def untimed(result):
    state, absorbed = result
    return state, absorbed._replace(cost=absorbed.cost._replace(seconds=0.0))


def with_operator(propose, **changes):
    built = make(**changes)
    return dataclasses.replace(built, proposers=(proposers.Weighted("test", propose, 1.0),))


def with_seed_population(name="toy"):
    member = population.Member(toy.SEED, {"x": 1.0})
    return population.FastState({name: population.Population((member,), "old", 0, (name,))})


def outcomes(absorbed):
    return {attempt["outcome"] for attempt in absorbed.details["proposals"]}


def test_a_round_finds_prompts_that_show_the_rules():
    fast = make()
    state, absorbed = absorb(fast, budget=300)
    assert absorbed.outcome == "changed"
    assert (absorbed.reward_before, absorbed.reward_after) == (0.0, 1.0)
    best = fast.best(state, "toy")
    policy = toy.Policy()
    queries = [types.Query(prompt_lib.messages(best, e.input)) for e in fast.tasks["toy"].test]
    answers, _ = policy.complete(queries, temperature=0.0, max_tokens=4)
    assert [a.text for a in answers] == [e.target for e in fast.tasks["toy"].test]


def test_a_prompt_that_the_model_cannot_read_is_not_tried():
    asked = []

    def exceeds_context(names, prompt):
        asked.append(tuple(names))
        return "too long for it" if prompt.demos else None

    for scope, names in (("task", ("toy",)), ("shared", ("toy", "other"))):
        fast = make(tasks={"toy": toy.task(), "other": toy.task(name="other")}, scope=scope)
        fast = dataclasses.replace(fast, exceeds_context=exceeds_context)
        state, absorbed = absorb(fast, budget=300)
        reasons = [attempt["reason"] for attempt in absorbed.details["proposals"]]
        assert "too long for it" in reasons
        assert not any(prompt.demos for prompt in fast.prompts(state, "toy"))
        assert {*asked} == {names}
        asked.clear()


@pytest.mark.parametrize("budget", [36, 37, 50, 61, 100, 173])
def test_the_budget_is_counted_and_never_overshot(budget):
    policy = toy.Policy()
    _, absorbed = absorb(make(policy), budget=budget)
    assert absorbed.cost.metric_calls == sum(policy.batches) <= budget
    assert absorbed.cost.prompt_tokens == 10 * sum(policy.batches)
    assert absorbed.details["proposals"]


@pytest.mark.parametrize(
    ("budget", "outcome", "reason"),
    [
        (0, "skipped", "no metric calls"),
        (1, "rejected", "1 metric calls are too few"),
        (35, "rejected", "takes 36"),
    ],
)
def test_a_budget_too_small_for_one_child_says_so_and_spends_nothing(budget, outcome, reason):
    policy = toy.Policy()
    fast = make(policy)
    state, absorbed = absorb(fast, budget=budget)
    assert (absorbed.outcome, state) == (outcome, fast.init(0))
    assert reason in absorbed.reason
    assert policy.batches == []
    assert absorbed.cost == types.Cost()


def test_a_lesson_without_usable_examples_is_rejected():
    _, absorbed = absorb(make(), count=1)
    assert (absorbed.outcome, "2 are needed" in absorbed.reason) == ("rejected", True)


def test_the_same_seed_gives_the_same_round_and_another_seed_another():
    assert untimed(absorb(make(), seed=1)) == untimed(absorb(make(), seed=1))
    assert absorb(make(), seed=1)[0] != absorb(make(), seed=2)[0]


def test_the_population_is_carried_over_and_re_scored_first_in_one_batch():
    policy = toy.Policy("w0")
    fast = make(policy)
    state, _ = absorb(fast)
    inherited = fast.prompts(state, "toy")
    later = toy.Policy("w1", refuses=("upper",))
    fast = make(later)
    state, absorbed = absorb(fast, state, index=1, seed=1)
    anchors = absorbed.details["anchors"]
    assert later.batches[0] == len(inherited) * anchors
    assert absorbed.reward_before < 1.0  # measured with the new weights, which lost a rule
    assert absorbed.details["weights"] == "w1"
    assert set(inherited) & set(fast.prompts(state, "toy"))


def test_no_prompt_is_scored_on_an_example_it_shows():
    policy = toy.Policy()
    fast = make(policy)
    state, _ = absorb(fast)
    absorb(fast, state, index=1, seed=1)  # the same examples again, now shown by the population
    for query in policy.queries:
        earlier = " ".join(m.content for m in query.messages[:-1])
        assert query.messages[-1].content not in earlier


def test_split_keeps_anchors_away_from_the_pool_and_from_prompts():
    items = toy.examples(20, 0)
    repeated = (*items, *(e._replace(id=f"again-{e.id}") for e in items[:5]))
    inherited = types.Prompt("", (types.Demo(items[0].input, "x"), types.Demo(items[1].input, "x")))
    validation = (*toy.examples(4, 9), items[1]._replace(id="shown already"))
    data = channel.split(repeated, validation, [inherited], 100, random.Random(0))
    inputs = [[e.input for e in part] for part in data]
    assert len(data.anchors) == 9  # half of the 18 that are not shown
    assert len(data.pool) == 11
    assert sorted(inputs[0] + inputs[1]) == sorted(e.input for e in items)
    assert not validity.shown(inherited, data.protected)
    assert set(inputs[2]) == {*inputs[0], *(e.input for e in validation[:4])}


def test_split_leaves_out_examples_that_contain_a_held_out_one():
    validation = (types.Example("v", "a fine film", "good"),)
    within = types.Example("w", "Not a fine film.", "bad")
    others = toy.examples(4, 0)
    data = channel.split((within, *others), validation, [toy.SEED], 2, random.Random(0))
    assert within not in data.pool
    assert {*(e.id for e in data.pool), *(e.id for e in data.anchors)} >= {e.id for e in others}


@pytest.mark.parametrize(
    ("child", "outcome", "reason"),
    [
        (toy.SEED, "duplicate", "known already"),
        (types.Prompt(" "), "invalid", "empty"),
        (types.Prompt("x" * 5000), "invalid", "5000 characters, 4000 are allowed"),
        (types.Prompt(f"Eg. {toy.task().validation[0].input}"), "invalid", "held-out example"),
        (types.Prompt("Try hard."), "no better", "because"),
        (None, "declined", "because"),
    ],
)
def test_a_bad_proposal_is_turned_down_with_its_reason(child, outcome, reason):
    fast = with_operator(lambda *_: contracts.Proposal(child, "because"))
    state, absorbed = absorb(fast)
    found = {a["outcome"]: a["reason"] for a in absorbed.details["proposals"]}
    assert reason in found[outcome]
    assert set(found) <= {outcome, "duplicate"}
    assert (absorbed.outcome, state) == ("rejected", fast.init(0))
    assert absorbed.reward_after == absorbed.reward_before == 0.0


class Crammer(toy.Policy):
    """Right on exactly the words that a prompt "Only: ..." lists; else as its parent class."""

    def _answer(self, messages):
        if not messages[0].content.startswith("Only:"):
            return super()._answer(messages)
        rule, word = messages[-1].content.split()
        return toy.RULES[rule](word) if word in messages[0].content else "dunno"


def test_a_child_worse_on_the_anchors_does_not_join():
    def propose(parent, answers, context, rng):
        words = " ".join(answer.example.input.split()[1] for answer in answers)
        return contracts.Proposal(types.Prompt(f"Only: {words}"), "")  # overfits the minibatch

    fast = with_operator(propose, policy=Crammer())
    parent = population.Member(types.Prompt("upper reverse"), {"x": 1.0})
    start = population.FastState({"toy": population.Population((parent,), "old", 0, ("toy",))})
    state, absorbed = absorb(fast, start)
    scored = [a for a in absorbed.details["proposals"] if a["outcome"] == "scored"]
    assert scored
    assert all(a["child_reward"] > a["parent_reward"] for a in scored)
    assert all(a["anchor_mean"] == 0.0 < absorbed.reward_before for a in scored)
    assert (absorbed.outcome, state) == ("rejected", start)


class Hedger(toy.Policy):
    """Gives an answer that is almost right where the prompt says so."""

    def _answer(self, messages):
        return "almost" if "Hedge" in messages[0].content else super()._answer(messages)


def graded(prediction, example):
    return types.Score(0.9, "almost") if prediction == "almost" else toy.score(prediction, example)


@pytest.mark.parametrize("seed", range(3))
def test_graded_rewards_do_not_cost_the_prompt_that_is_best_on_average(seed):
    task = dataclasses.replace(toy.task(), scorer=graded)
    fast = with_operator(
        lambda *_: contracts.Proposal(None, "no"), policy=Hedger(), tasks={"toy": task}
    )
    texts = ("upper", "Hedge.", "reverse double")  # on each example the first or the last is best
    members = tuple(population.Member(types.Prompt(text), {"x": 1.0}) for text in texts)
    start = population.FastState({"toy": population.Population(members, "old", 0, ("toy",))})
    state, absorbed = absorb(fast, start, seed=seed)
    assert absorbed.outcome == "changed"
    assert absorbed.reward_after >= absorbed.reward_before == pytest.approx(0.9)
    assert fast.best(state, "toy") == types.Prompt("Hedge.")


def test_only_the_best_children_of_a_step_reach_the_anchors():
    _, absorbed = absorb(make(promotions_per_step=1, proposals_per_step=8), budget=120)
    scored = [a for a in absorbed.details["proposals"] if a["outcome"] == "scored"]
    assert len({a["step"] for a in scored}) == len(scored)
    assert "outranked" in outcomes(absorbed)


def test_what_fails_beside_others_is_told_with_the_outcome():
    def unreachable(*_):
        return contracts.Proposal(None, "cannot connect", failed=True)

    fast = make()
    mixed = (*fast.proposers, proposers.Weighted("remote", unreachable, 9.0))
    _, absorbed = absorb(dataclasses.replace(fast, proposers=mixed), budget=300)
    assert absorbed.outcome == "changed"
    assert "failed, the last: cannot connect" in absorbed.reason


def test_when_every_proposal_fails_the_round_failed_and_the_state_is_kept():
    fast = with_operator(lambda *_: contracts.Proposal(None, "cannot connect", failed=True))
    before = with_seed_population()
    state, absorbed = absorb(fast, before)
    assert (absorbed.outcome, absorbed.reason) == (
        "failed",
        "every proposal failed: cannot connect",
    )
    assert state is before


def test_what_re_scoring_finds_is_kept_although_every_proposal_fails():
    fast = with_operator(lambda *_: contracts.Proposal(None, "cannot connect", failed=True))
    better = types.Prompt("upper, reverse")  # not the third rule, so that there are errors
    members = tuple(population.Member(prompt, {}) for prompt in (toy.SEED, better))
    before = population.FastState({"toy": population.Population(members, "old", 0, ("toy",))})
    state, absorbed = absorb(fast, before)
    assert (absorbed.outcome, fast.best(state, "toy")) == ("changed", better)
    assert "failed, the last: cannot connect" in absorbed.reason


def test_operators_that_work_go_on_when_one_fails():
    asked = []

    def broken(parent, answers, context, rng):
        asked.append(parent)
        return contracts.Proposal(
            None, "down", types.Cost(reflection_calls=1, seconds=0.5), failed=True
        )

    fast = make()
    mixed = (*fast.proposers, proposers.Weighted("broken", broken, 5.0))
    _, absorbed = absorb(dataclasses.replace(fast, proposers=mixed))
    assert absorbed.outcome == "changed"
    assert "failed" in outcomes(absorbed)
    assert absorbed.cost.reflection_calls == len(asked)
    steps = {attempt["step"] for attempt in absorbed.details["proposals"]}
    assert len(asked) <= len(steps)  # asked at most once a step


def test_the_state_round_trips_and_a_restored_one_goes_on_alike():
    fast = make()
    state, _ = absorb(fast)
    saved = fast.save(state)
    restored = fast.restore(saved._replace(text=json.loads(json.dumps(saved.text))))
    assert restored == state
    again, gone_on = (absorb(fast, known, index=1, seed=5) for known in (restored, state))
    assert untimed(again) == untimed(gone_on)


def test_task_scope_keeps_tasks_apart():
    tasks = {"a": toy.task("a"), "b": toy.task("b", seed=10)}
    fast = make(tasks=tasks)
    state, _ = absorb(fast, name="a")
    assert fast.prompts(state, "b") == (toy.SEED,)
    assert absorb(fast, state, name="b", index=1)[0].populations.keys() == {"a", "b"}


def test_shared_scope_carries_one_population_for_all_tasks():
    fast = make(tasks={"a": toy.task("a"), "b": toy.task("b", seed=10)}, scope="shared")
    state, _ = absorb(fast, name="a")
    assert fast.prompts(state, "b") == fast.prompts(state, "a") != (toy.SEED,)


def test_shared_scope_lets_the_seed_of_a_new_task_compete():
    other = dataclasses.replace(toy.task("b", seed=10), seed_prompt=types.Prompt("upper double"))
    tasks = {"a": toy.task("a"), "b": other}
    fast = with_operator(lambda *_: contracts.Proposal(None, "no"), tasks=tasks, scope="shared")
    start = population.FastState({"": with_seed_population("a").populations["a"]})
    state, absorbed = absorb(fast, start, name="b", index=1)
    assert absorbed.outcome == "changed"
    assert fast.prompts(state, "a") == (other.seed_prompt,)
    assert state.populations[""].tasks == ("a", "b")


def test_parents_without_error_are_left_alone():
    perfect = with_seed_population()
    policy = toy.Policy()
    fast = make(policy)
    named = (
        perfect.populations["toy"].members[0]._replace(prompt=types.Prompt("upper reverse double"))
    )
    start = population.FastState({"toy": perfect.populations["toy"]._replace(members=(named,))})
    state, absorbed = absorb(fast, start)
    assert (state, absorbed.reward_before) == (start, 1.0)
    assert absorbed.reason == "the parents made no error on their minibatches"
    assert absorbed.cost.metric_calls < 100


def test_details_are_json_and_every_proposal_has_a_reason():
    _, absorbed = absorb(make())
    details = json.loads(json.dumps(absorbed.details))
    assert all(attempt["reason"] for attempt in details["proposals"])
    assert details["scores"] == sorted(details["scores"], reverse=True)


def test_an_unknown_proposer_suggests_the_nearest():
    with pytest.raises(registry.UnknownNameError, match="did you mean 'reflexion'"):
        make(proposers={"reflexions": {}})


def test_importing_the_channel_needs_no_dspy():
    code = (
        "import sys, fastslow.fast.channel\n"
        "assert not {'dspy', 'litellm', 'jax', 'torch'} & set(sys.modules), 'heavy import'\n"
    )
    root = pathlib.Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=60)


def test_prompts_cannot_be_shared_where_a_seed_prompt_leaves_other_items_no_room():
    tasks = {"a": toy.task("a"), "b": toy.task("b", seed=10)}

    def exceeds_context(names, prompt):
        return "'x' needs 9 tokens" if len(names) > 1 else None

    def build(scope):
        settings = dataclasses.replace(SETTINGS, scope=scope)
        return channel.build(tasks, lambda slow: toy.Policy(), settings, exceeds_context)

    build("task")
    with pytest.raises(
        config.ConfigError, match=r"seed prompt of task 'a' .* needs 9 tokens.*scope"
    ):
        build("shared")


def test_progress_tells_the_calls_spent_and_the_best_reward():
    told = []
    fast = dataclasses.replace(make(), on_step=lambda *step: told.append(step))
    _, absorbed = absorb(fast, budget=300)
    spent, budgets, facts = zip(*told, strict=True)
    assert set(budgets) == {300}
    assert list(spent) == sorted(spent)
    assert spent[-1] == absorbed.cost.metric_calls
    assert [facts[0]["reward"], facts[-1]["reward"]] == [0.0, 1.0]


def test_a_shared_population_serves_a_task_also_where_its_round_changed_nothing():
    fast = make(tasks={"a": toy.task("a"), "b": toy.task("b", seed=10)}, scope="shared")
    state, _ = absorb(fast, name="a")
    after, absorbed = absorb(fast, state, name="b", index=1)
    assert (absorbed.outcome, after.populations[""].tasks) == ("rejected", ("a", "b"))
    assert after.populations[""].members == state.populations[""].members
