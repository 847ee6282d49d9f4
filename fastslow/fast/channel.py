"""The fast channel: one GEPA round per lesson on the prompts of the lesson's task."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from fastslow import config, seeds, texts, types
from fastslow.fast import gepa_round, population, prompt_scorer, proposers, reselection, validity
from fastslow.fast import prompt as prompt_lib
from fastslow.fast import settings as fast_settings
from fastslow.fast.proposers import contracts

ExceedsContext: TypeAlias = Callable[[Sequence[str], types.Prompt], str | None]


@dataclasses.dataclass(frozen=True)
class GepaChannel:
    """Learn by changing prompts; implements `types.Channel` with `FastState`."""

    tasks: Mapping[str, types.Task]
    policy_of: Callable[[types.PyTree], types.Policy]  # slow state -> the current model
    settings: fast_settings.Settings
    proposers: tuple[proposers.Weighted, ...]
    exceeds_context: ExceedsContext
    on_step: gepa_round.OnStep | None = None

    def init(self, seed: int) -> population.FastState:
        """Return the state without populations: every task has its seed prompt."""
        del seed  # nothing is random before the first lesson
        return population.FastState({})

    def prompts(self, state: population.FastState, task_name: str) -> tuple[types.Prompt, ...]:
        """Return the prompts of a task, best first: its population, or its seed prompt."""
        known = state.populations.get(self._key(task_name))
        return known.prompts if known else (self.tasks[task_name].seed_prompt,)

    def best(self, state: population.FastState, task_name: str) -> types.Prompt:
        """Return the prompt with the highest mean reward when its population was last ranked.

        That was on the anchors of the last lesson that changed it, with the scope "shared" of
        whatever task; or later, by `reselect`, on validation examples of all tasks it serves.
        """
        return self.prompts(state, task_name)[0]

    def absorb(
        self, state: types.ModelState, lesson: types.Lesson, budget: int, seed: int
    ) -> tuple[population.FastState, types.Absorbed]:
        """Run one round on the lesson within `budget` metric calls.

        `changed` only if the prompts, or which of them is best, changed; otherwise these are
        returned as they were, and `details["scores"]` has the new measurements.
        """
        started = time.perf_counter()
        fast: population.FastState = state.fast
        if budget <= 0:
            return fast, types.Absorbed("fast", "skipped", "no metric calls for this lesson")
        task = self.tasks[lesson.task_name]
        start = self._start(fast, task)
        rng = random.Random(seeds.derive(seed, "round"))
        data = split(lesson.examples, task.validation, start, self.settings.anchor_size, rng)
        refusal = self._refusal(start, data, budget)
        if refusal:
            return fast, types.Absorbed("fast", "rejected", refusal)
        policy = self.policy_of(state.slow)
        evaluate = self._prompt_scorer(policy, seeds.derive(seed, "sampling"), task, budget)
        setup = gepa_round.Setup(
            data, evaluate, self.proposers, self.settings, self._limits(task), rng
        )
        result = gepa_round.run(start, setup, self.on_step)
        after, absorbed = self._conclude(fast, lesson, policy.version, data, evaluate.cost, result)
        return after, _timed(absorbed, started)

    def reselect(
        self, state: types.ModelState, lesson_index: int, seed: int
    ) -> tuple[population.FastState, types.Absorbed | None]:
        """Rank populations again, with their seed prompts, after the lesson of that index.

        These are the populations ranked under other weights than the present ones, and the one that
        the lesson's own round ranked on its few anchors, of which it may have chosen the luckiest.
        `changed` only if some population has another best prompt; `skipped` if there are too few
        metric calls or validation examples to rank any; None if there is none to rank or the budget
        is 0. Rewards are means over the ranked populations: of the prompts that were best, and of
        those that are now.
        """
        started = time.perf_counter()
        fast: population.FastState = state.fast
        budget = self.settings.reselection_budget
        if not fast.populations or not budget:
            return fast, None
        policy = self.policy_of(state.slow)
        candidates = self._candidates(fast, policy.version, lesson_index)
        if not candidates:
            return fast, None
        shares = reselection.plan(candidates, budget)
        if not shares:
            reason = reselection.refusal(candidates, budget)
            return fast, types.Absorbed("prompts", "skipped", reason)
        scorer_of = functools.partial(self._prompt_scorer, policy, seed)
        size = self.settings.population_size
        chosen = {
            key: choice
            for key, share in shares.items()
            if (choice := reselection.choose(candidates[key], share, scorer_of, size))
        }
        if not chosen:
            reason = "the prompts show every validation example to choose them on"
            return fast, types.Absorbed("prompts", "skipped", reason)
        new = _installed(fast, chosen, policy.version, lesson_index)
        return new, _timed(_choices(fast.populations, chosen), started)

    def fill(self, state: population.FastState, task_name: str) -> float:
        """Return the share of `max_chars` that the task's best prompt takes."""
        return prompt_lib.size(self.best(state, task_name)) / self.settings.max_chars

    def export(self, state: population.FastState, directory: pathlib.Path) -> None:
        """Write every task's population, or its seed prompt, to `directory`/TASK/."""
        for name, task in self.tasks.items():
            known = state.populations.get(self._key(name))
            if known:
                population.write_population(directory / name, known)
            else:
                prompt_lib.write(directory / name / "0.md", task.seed_prompt)

    def save(self, state: population.FastState) -> types.Saved:
        """Return the state as JSON."""
        return types.Saved(arrays={}, text=population.to_json(state))

    def restore(self, saved: types.Saved) -> population.FastState:
        """Invert `save`."""
        return population.from_json(saved.text)

    def _prompt_scorer(
        self, policy: types.Policy, seed: int, task: types.Task, budget: int
    ) -> prompt_scorer.PromptScorer:
        return prompt_scorer.PromptScorer(
            policy,
            task.scorer,
            budget=budget,
            temperature=self.settings.temperature,
            max_tokens=self.settings.max_tokens,
            seed=seed,
        )

    def _key(self, task_name: str) -> str:
        return task_name if self.settings.scope == "task" else ""

    def _candidates(
        self, state: population.FastState, version: str, lesson_index: int
    ) -> dict[str, reselection.Candidate]:
        """Return the populations not ranked yet under these weights, and those of the lesson."""
        return {
            key: reselection.Candidate(known, tuple(self.tasks[name] for name in known.tasks))
            for key, known in state.populations.items()
            if known.version != version or known.lesson_index == lesson_index
        }

    def _start(self, state: population.FastState, task: types.Task) -> tuple[types.Prompt, ...]:
        """Return the prompts to re-score: a task that joins a shared population adds its seed."""
        current = self.prompts(state, task.name)
        known = state.populations.get(self._key(task.name))
        if known and task.name not in known.tasks:
            return tuple(dict.fromkeys((*current, task.seed_prompt)))
        return current

    def _refusal(
        self, start: Sequence[types.Prompt], data: gepa_round.Data, budget: int
    ) -> str | None:
        if not data.anchors:
            usable = len(data.pool)
            return f"the lesson has {usable} example(s) that no prompt shows, 2 are needed"
        needed = gepa_round.price(len(start), data, self.settings.minibatch_size)
        if budget < needed:
            return (
                f"{budget} metric calls are too few: re-scoring {len(start)} prompt(s) on "
                f"{len(data.anchors)} anchors and trying one more takes {needed}"
            )
        return None

    def _limits(self, task: types.Task) -> contracts.Limits:
        names = (task.name,) if self.settings.scope == "task" else tuple(self.tasks)
        return contracts.Limits(
            max_demos=self.settings.max_demos,
            max_lessons=self.settings.max_lessons,
            max_chars=self.settings.max_chars,
            exceeds_context=functools.partial(self.exceeds_context, names),
        )

    def _conclude(
        self,
        state: population.FastState,
        lesson: types.Lesson,
        version: str,
        data: gepa_round.Data,
        spent: types.Cost,
        result: gepa_round.Result,
    ) -> tuple[population.FastState, types.Absorbed]:
        key = self._key(lesson.task_name)
        old = state.populations.get(key)
        tasks = tuple(dict.fromkeys((*(old.tasks if old else ()), lesson.task_name)))
        new = population.Population(result.members, version, lesson.index, tasks)
        outcome, reason = _verdict(self.prompts(state, lesson.task_name), new, result)
        absorbed = types.Absorbed(
            channel="fast",
            outcome=outcome,
            reason=reason,
            reward_before=result.reward_before,
            reward_after=new.members[0].mean,
            cost=spent + result.cost,
            details=_details(new, data, result),
        )
        if outcome != "changed":
            return _served(state, key, tasks), absorbed
        return population.FastState({**state.populations, key: new}), absorbed


def build(
    tasks: Mapping[str, types.Task],
    policy_of: Callable[[types.PyTree], types.Policy],
    settings: fast_settings.Settings,
    exceeds_context: ExceedsContext = lambda task_names, prompt: None,
    on_step: gepa_round.OnStep | None = None,
) -> GepaChannel:
    """Build the channel with the proposers that its settings name; raises UnknownNameError.

    `exceeds_context` says why items of the named tasks do not fit behind a prompt, None if they do.
    Raises ConfigError where prompts are shared and a seed prompt leaves items of another task no
    room.
    """
    mixture = proposers.mixture(settings.proposers)
    for task in tasks.values() if settings.scope == "shared" else ():
        if lack := exceeds_context(tuple(tasks), task.seed_prompt):
            raise config.ConfigError(
                f"the seed prompt of task {task.name!r} cannot be shared by all tasks: {lack}. "
                "Shorten it, or give every task prompts of its own: fast.scope=task"
            )
    return GepaChannel(tasks, policy_of, settings, mixture, exceeds_context, on_step)


def split(
    examples: Sequence[types.Example],
    validation: Sequence[types.Example],
    start: Sequence[types.Prompt],
    anchor_size: int,
    rng: random.Random,
) -> gepa_round.Data:
    """Divide a lesson into anchors and pool, so that no prompt shows what it is judged on.

    Anchors are drawn among the examples that no prompt of `start` shows (an inherited prompt may
    demonstrate an example that comes again), at most half of them. Repeated inputs count once. The
    pool is the rest, without examples that contain an anchor or a validation example.
    """
    distinct = list({texts.normalised(e.input): e for e in reversed(examples)}.values())[::-1]
    known = [e.input for p in start for e in validity.shown(p, [*distinct, *validation])]
    unshown = [example for example in distinct if example.input not in known]
    anchors = rng.sample(unshown, min(anchor_size, len(unshown) // 2))
    held_out = [example for example in validation if example.input not in known]
    protected = [*anchors, *held_out]
    pool = [
        example
        for example in distinct
        if not validity.shown(types.Prompt(demos=(prompt_lib.demo(example),)), protected)
    ]
    return gepa_round.Data(anchors, pool, protected)


def _verdict(
    old: tuple[types.Prompt, ...], new: population.Population, result: gepa_round.Result
) -> tuple[types.Outcome, str]:
    tried = [attempt for attempt in result.attempts if attempt.operator]
    failed = [attempt for attempt in tried if attempt.outcome == "failed"]
    if new.prompts == old and tried and len(failed) == len(tried):
        return "failed", f"every proposal failed: {failed[-1].reason}"
    if new.prompts == old and not tried:
        return "rejected", "the parents made no error on their minibatches"
    # Otherwise only the records would show that a second model never answers.
    trouble = f"; {len(failed)} failed, the last: {failed[-1].reason}" if failed else ""
    if new.prompts == old:
        scored = sum(attempt.outcome == "scored" for attempt in tried)
        none = f"none of {len(tried)} proposals joined the population"
        return "rejected", f"{none}, {scored} got beyond a minibatch{trouble}"
    added = len(set(new.prompts) - set(old))
    dropped = len(set(old) - set(new.prompts))
    exchange = f"{added} prompt(s) joined, {dropped} left, {len(new.prompts)} remain"
    return "changed", exchange + trouble


def _timed(absorbed: types.Absorbed, started: float) -> types.Absorbed:
    """Return it with the wall time since `started`: scorers and proposers take time too."""
    seconds = time.perf_counter() - started
    return absorbed._replace(cost=absorbed.cost._replace(seconds=seconds))


def _served(state: population.FastState, key: str, tasks: tuple[str, ...]) -> population.FastState:
    """Return the state with the tasks that a shared population serves; as it is if it knows."""
    known = state.populations.get(key)
    if known is None or known.tasks == tasks:
        return state
    return population.FastState({**state.populations, key: known._replace(tasks=tasks)})


def _installed(
    state: population.FastState,
    chosen: Mapping[str, reselection.Chosen],
    version: str,
    lesson_index: int,
) -> population.FastState:
    """Return the state with the chosen members in place of the old ones."""
    new = {
        key: state.populations[key]._replace(
            members=choice.members, version=version, lesson_index=lesson_index
        )
        for key, choice in chosen.items()
    }
    return population.FastState({**state.populations, **new})


def _choices(
    old: Mapping[str, population.Population], chosen: Mapping[str, reselection.Chosen]
) -> types.Absorbed:
    """Say which populations have another best prompt."""
    best = {
        key: [
            prompt_lib.digest(members[0].prompt) for members in (old[key].members, choice.members)
        ]
        for key, choice in chosen.items()
    }
    replaced = [key for key, (before, after) in best.items() if before != after]
    names = ", ".join(key or "all tasks" for key in replaced)
    reason = f"another prompt is best now for {names}" if replaced else "the best prompts stay best"
    count = len(chosen)
    return types.Absorbed(
        channel="prompts",
        outcome="changed" if replaced else "rejected",
        reason=reason,
        reward_before=sum(choice.before for choice in chosen.values()) / count,
        reward_after=sum(choice.after for choice in chosen.values()) / count,
        cost=sum((choice.cost for choice in chosen.values()), types.Cost()),
        details={"best": best},
    )


def _details(
    new: population.Population, data: gepa_round.Data, result: gepa_round.Result
) -> dict[str, types.Json]:
    return {
        "proposals": [attempt._asdict() for attempt in result.attempts],
        "population": [prompt_lib.digest(prompt) for prompt in new.prompts],
        "scores": [member.mean for member in new.members],
        "anchors": len(data.anchors),
        "weights": new.version,
    }
