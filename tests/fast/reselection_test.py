"""Prompts chosen again for weights that moved: which win, which stay, and what it costs."""

import dataclasses

import pytest

from fastslow import types
from fastslow.fast import channel, population, prompt_scorer, reselection
from fastslow.fast import settings as fast_settings
from tests.fast import toy

GOOD, WORSE = (
    types.Prompt("upper reverse double"),
    types.Prompt("upper reverse"),
)


def known(*prompts, lesson=0, tasks=("toy",), version="old"):
    """A population whose members all had full reward under earlier weights."""
    members = tuple(population.Member(prompt, {"x": 1.0}) for prompt in prompts)
    return population.Population(members, version, lesson, tasks)


def make(policy, tasks=None, **changes):
    settings = dataclasses.replace(fast_settings.Settings(max_tokens=4), **changes)
    return channel.build(tasks or {"toy": toy.task()}, lambda slow: policy, settings)


def reselect(fast, populations, lesson=5):
    state = types.ModelState(None, population.FastState(populations))
    return fast.reselect(state, lesson, 0)


def test_the_prompt_that_is_best_now_comes_first():
    policy = toy.Policy("new")
    state, told = reselect(make(policy), {"toy": known(WORSE, GOOD)})
    chosen = state.populations["toy"]
    assert chosen.prompts == (GOOD, WORSE)
    assert [member.mean for member in chosen.members] == pytest.approx([1.0, 2 / 3])
    assert (chosen.version, chosen.lesson_index, chosen.tasks) == ("new", 5, ("toy",))
    assert (told.channel, told.outcome) == ("prompts", "changed")
    assert told.reason == "another prompt is best now for toy"
    assert (told.reward_before, told.reward_after) == pytest.approx((2 / 3, 1.0))


def test_the_seed_prompt_comes_back_only_as_the_best():
    task = dataclasses.replace(toy.task(), seed_prompt=GOOD)
    fast = make(toy.Policy(), {"toy": task}, population_size=2)
    old = known(toy.SEED, WORSE)
    state, told = reselect(fast, {"toy": old})
    assert state.populations["toy"].prompts == (GOOD, WORSE)  # the worst of three makes room
    assert told.outcome == "changed"
    state, told = reselect(make(toy.Policy(), population_size=4), {"toy": known(WORSE, GOOD)})
    assert toy.SEED not in state.populations["toy"].prompts


def test_of_equals_the_earlier_stays_ahead():
    twin = types.Prompt("double reverse upper")
    state, told = reselect(make(toy.Policy()), {"toy": known(twin, GOOD)})
    assert state.populations["toy"].prompts == (twin, GOOD)
    assert (told.outcome, told.reason) == ("rejected", "the best prompts stay best")
    assert state.populations["toy"].lesson_index == 5  # measured all the same


def test_what_is_measured_is_validation_that_no_prompt_shows():
    task = toy.task()
    shown = task.validation[-1]
    prompt = types.Prompt("upper", demos=(types.Demo(shown.input, shown.target),))
    policy = toy.Policy()
    reselect(make(policy), {"toy": known(prompt)})
    asked = {query.messages[-1].content for query in policy.queries}
    assert asked == {example.input for example in task.validation[:-1]}


def test_every_call_is_counted_and_the_budget_kept():
    policy = toy.Policy()
    tasks = {name: toy.task(name, seed) for seed, name in enumerate(("a", "b", "c"))}
    populations = {
        name: known(GOOD, WORSE, lesson=lesson, tasks=(name,))
        for name, lesson in (("a", 4), ("b", 1), ("c", 2))
    }
    fast = make(policy, tasks, reselection_budget=80)
    state, told = reselect(fast, populations)
    assert told.cost.metric_calls == sum(policy.batches) == 72  # 2 x 3 prompts x 12 examples
    measured = {name for name, known in state.populations.items() if known.lesson_index == 5}
    assert measured == {"b", "c"}  # those that were measured longest ago


@pytest.mark.parametrize(
    ("budget", "shares"),
    [
        (0, {}),
        (35, {}),
        (36, {"old": 12}),
        (72, {"old": 12, "new": 12}),
        (120, {"old": 20, "new": 20}),
    ],
)
def test_the_budget_is_divided_equally_and_goes_to_the_stalest_first(budget, shares):
    task = dataclasses.replace(toy.task(), validation=toy.examples(64, 9))
    candidates = {
        name: reselection.Candidate(known(GOOD, WORSE, lesson=lesson), (task,))
        for name, lesson in (("new", 8), ("old", 3))
    }
    assert reselection.plan(candidates, budget) == shares


def test_a_shared_population_is_judged_on_all_its_tasks():
    tasks = {name: toy.task(name, seed) for seed, name in enumerate(("a", "b"))}
    policy = toy.Policy()
    fast = make(policy, tasks, scope="shared")
    state, told = reselect(fast, {"": known(WORSE, GOOD, tasks=("a", "b"))})
    assert state.populations[""].prompts[0] == GOOD
    assert told.reason == "another prompt is best now for all tasks"
    asked = {query.messages[-1].content for query in policy.queries}
    assert asked == {e.input for task in tasks.values() for e in task.validation}


@pytest.mark.parametrize("changes", [{}, {"reselection_budget": 0}])
def test_without_a_choice_or_a_budget_nothing_is_asked(changes):
    policy = toy.Policy()
    fast = make(policy, **changes)
    populations = {"toy": known(GOOD)} if changes else {}
    state, told = reselect(fast, populations)
    assert (state.populations, told, policy.batches) == (populations, None, [])


def test_a_task_without_validation_keeps_its_prompts_and_says_why():
    task = dataclasses.replace(toy.task(), validation=())
    old = {"toy": known(WORSE, GOOD)}
    state, told = reselect(make(toy.Policy(), {"toy": task}), old)
    assert state.populations == old
    assert told == types.Absorbed(
        "prompts", "skipped", "a task has no validation examples to choose prompts on"
    )


def test_a_budget_too_small_for_any_population_says_so_and_asks_nothing():
    policy = toy.Policy()
    old = {"toy": known(WORSE, GOOD)}
    state, told = reselect(make(policy, reselection_budget=35), old)
    assert (state.populations, policy.batches) == (old, [])
    assert (told.channel, told.outcome, told.cost) == ("prompts", "skipped", types.Cost())
    assert told.reason == "35 metric calls are too few to choose prompts again: that takes 36"


@pytest.mark.parametrize(("budget", "spent"), [(40, 0), (59, 0), (60, 60), (119, 60), (120, 120)])
def test_a_shared_population_of_many_tasks_keeps_the_budget(budget, spent):
    tasks = {f"t{seed}": toy.task(f"t{seed}", seed) for seed in range(20)}
    policy = toy.Policy()
    fast = make(policy, tasks, scope="shared", reselection_budget=budget)
    _, told = reselect(fast, {"": known(WORSE, GOOD, tasks=tuple(tasks))})
    assert (
        told.cost.metric_calls == sum(policy.batches) == spent
    )  # 3 prompts, the same of each task
    assert told.outcome == ("changed" if spent else "skipped")


@pytest.mark.parametrize("examples", [0, 1, 3, 5, 1000])
def test_no_more_examples_are_measured_than_asked_for(examples):
    tasks = (toy.task("a"), toy.task("b", 1))
    policy = toy.Policy()
    chosen = reselection.choose(
        reselection.Candidate(known(WORSE, GOOD), tasks),
        examples,
        lambda task, budget: prompt_scorer.PromptScorer(
            policy, task.scorer, budget=budget, temperature=0.0, max_tokens=4, seed=0
        ),
        4,
    )
    asked = 3 * 2 * min(examples // 2, 12)
    assert (chosen.cost.metric_calls if chosen else 0) == asked == len(policy.queries)


def test_a_population_that_shows_all_there_is_to_choose_on_keeps_its_record():
    task = toy.task()
    shown = types.Prompt(
        "upper", demos=tuple(types.Demo(e.input, e.target) for e in task.validation)
    )
    old = {"toy": known(shown)}
    state, told = reselect(make(toy.Policy("new")), old)
    assert state.populations == old  # version and lesson are those of its scores
    assert (told.outcome, told.cost) == ("skipped", types.Cost())
    assert told.reason == "the prompts show every validation example to choose them on"


def test_only_what_is_stale_or_was_ranked_by_this_lesson_is_measured():
    tasks = {name: dataclasses.replace(toy.task(), name=name) for name in "abc"}
    policy = toy.Policy("now")
    old = {
        "a": known(WORSE, GOOD, lesson=2, version="now", tasks=("a",)),
        "b": known(WORSE, GOOD, lesson=5, version="now", tasks=("b",)),
        "c": known(WORSE, GOOD, lesson=2, version="before", tasks=("c",)),
    }
    state, told = reselect(make(policy, tasks), old, lesson=5)
    assert state.populations["a"] == old["a"]
    assert [state.populations[key].prompts[0] for key in "bc"] == [GOOD, GOOD]
    assert told.reason == "another prompt is best now for c, b"  # the stalest first
    fresh = {"a": old["a"]}
    assert reselect(make(policy, tasks), fresh, lesson=5) == (population.FastState(fresh), None)
