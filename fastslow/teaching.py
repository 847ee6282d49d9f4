"""One lesson: probe it, decide, let the channels absorb it, and say what that cost and gained."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fastslow import config, learner, run_state, seeds, types
from fastslow.evaluation import evaluator
from fastslow.report import progress
from fastslow.scheduler import checked


class Teacher(NamedTuple):
    """What teaching needs; nothing in it changes while it runs."""

    learner: learner.Learner
    scheduler: types.Scheduler
    tasks: Mapping[str, types.Task]
    evaluation: config.Evaluation
    watcher: progress.Progress


class Trial(NamedTuple):
    """What became of a lesson under one choice of budgets."""

    budgets: types.Budgets
    model: types.ModelState
    absorbed: tuple[types.Absorbed, types.Absorbed]  # fast, slow
    measuring: types.Cost  # of validation answers
    reselected: types.Absorbed | None = None  # the prompts chosen again, if anything changed
    value: float = math.nan  # mean validation reward over the tasks taught so far, if compared

    @property
    def cost(self) -> types.Cost:
        """Everything this choice used."""
        return self.learning + self.measuring

    @property
    def charged(self) -> tuple[types.Absorbed, types.Absorbed]:
        """Both channels, with choosing prompts again as a cost of the one after which it was."""
        fast, slow = self.absorbed
        again = self.reselected.cost if self.reselected else types.Cost()
        if slow.outcome == "skipped":
            return fast._replace(cost=fast.cost + again), slow
        return fast, slow._replace(cost=slow.cost + again)

    @property
    def learning(self) -> types.Cost:
        """What both channels used."""
        parts = (*self.absorbed, *([self.reselected] if self.reselected else []))
        return sum((part.cost for part in parts), types.Cost())


class Taught(NamedTuple):
    """A lesson's end: the new state, and what the records say of it."""

    state: run_state.RunState
    probe: types.Probe
    decision: types.Decision
    absorbed: tuple[types.Absorbed, types.Absorbed]
    reselected: types.Absorbed | None
    trials: tuple[Trial, ...]  # all that were compared; empty if there was no choice to make
    deciding: types.Cost  # probes, validation answers, and trials that were not kept


def teach(teacher: Teacher, state: run_state.RunState, lesson: types.Lesson, seed: int) -> Taught:
    """Decide which channels absorb the lesson, and let them: prompts first, then weights."""
    probe, sketches, deciding = look(teacher, state, lesson, seeds.derive(seed, "probe"))
    policy = teacher.scheduler
    decision = checked.decision(policy.decide(state.scheduler, lesson, probe), policy)
    teacher.watcher.lesson_started(lesson, decision)
    tried = functools.partial(
        attempt, teacher, state, lesson, before=probe.validation_reward, seed=seed
    )
    trials = []
    for budgets in decision.trials:
        teacher.watcher.trial_started(budgets)
        trials.append(compare(teacher, state, lesson, tried(budgets)))
    if trials:
        kept = max(trials, key=lambda trial: trial.value)
        teacher.watcher.trial_kept(kept.budgets, kept.value, kept.absorbed)
    else:
        kept = tried(types.Budgets(decision.fast_budget, decision.slow_steps))
    deciding += sum((trial.cost for trial in trials if trial is not kept), kept.measuring)
    _, slow = kept.absorbed
    seen = policy.observe(state.scheduler, lesson, probe, kept.charged)
    after = dataclasses.replace(
        state,
        model=kept.model,
        scheduler=checked.state(seen, policy, "observe"),
        taught=(*state.taught, lesson.task_name),
        sketches=sketches if slow.outcome == "changed" else state.sketches,
        slow_steps=state.slow_steps + len(slow.details.get("steps", ())),
        cost=state.cost + deciding + kept.learning,
    )
    return Taught(after, probe, decision, kept.absorbed, kept.reselected, tuple(trials), deciding)


def look(
    teacher: Teacher, state: run_state.RunState, lesson: types.Lesson, seed: int
) -> tuple[types.Probe, run_state.Sketches, types.Cost]:
    """Collect the facts about a lesson: counts always, measurements if the policy asks for them."""
    probe = run_state.probe(state, lesson)._replace(draw=seeds.derive(seed, "draw"))
    if not teacher.scheduler.probing:
        return probe, state.sketches, types.Cost()
    measured = teacher.learner.probe(state.model, lesson, seeds.derive(seed, "learner"))
    task = teacher.tasks[lesson.task_name]
    answered = answers(teacher, state.model, [task])
    facts: dict[str, Any] = {
        **measured.facts,
        "validation_reward": answered.scores[task.name],
        "malformed_share": evaluator.malformed_share(task, answered.graded[task.name]),
    }
    sketches = dict(state.sketches)
    if measured.sketch is not None:
        facts["cosine"] = most_opposed(measured.sketch, state.sketches, lesson.task_name)
        sketches[lesson.task_name] = measured.sketch
    return probe._replace(**facts), sketches, measured.cost + answered.cost


def most_opposed(
    sketch: Sequence[float], known: Mapping[str, Sequence[float]], task_name: str
) -> float:
    """Return the smallest cosine of a unit sketch with those of other tasks; NaN without any."""
    cosines = [
        math.fsum(x * y for x, y in zip(sketch, other, strict=True))
        for name, other in known.items()
        if name != task_name
    ]
    return min(cosines, default=math.nan)


def attempt(
    teacher: Teacher,
    state: run_state.RunState,
    lesson: types.Lesson,
    budgets: types.Budgets,
    *,
    before: float,
    seed: int,
) -> Trial:
    """Offer the lesson to both channels, and measure what each one gained if `before` is known.

    Where anything changed, the prompts are chosen again; what that gains counts for the channel
    that came last. `before`: the validation reward of the lesson's task. The seeds of the channels
    do not depend on the budgets, so that a trial does what the same choice would do without any
    trial.
    """
    model, absorbed, measuring = state.model, [], types.Cost()
    reselected, changed = None, False
    last = "slow" if budgets.slow else "fast"
    for name, budget in zip(("fast", "slow"), budgets, strict=True):
        part, result = absorb(teacher.learner, name, model, lesson, budget, seed)
        model = model._replace(**{name: part})
        moved = result.outcome == "changed"
        changed |= moved
        if changed and name == last:
            moved = True
            chosen = seeds.derive(seed, "reselection")
            fast_state, reselected = teacher.learner.reselect(model, lesson.index, chosen)
            model = model._replace(fast=fast_state)
        if not math.isnan(before):
            after = before
            if moved:
                after, cost = validate(teacher, model, [teacher.tasks[lesson.task_name]])
                measuring += cost
            result = result._replace(gain=after - before)
            before = after
        teacher.watcher.absorbed(result)
        absorbed.append(result)
    if reselected is not None:
        teacher.watcher.absorbed(reselected)
    fast, slow = absorbed
    return Trial(budgets, model, (fast, slow), measuring, reselected)


def absorb(
    model: learner.Learner,
    name: str,
    state: types.ModelState,
    lesson: types.Lesson,
    budget: int,
    seed: int,
) -> tuple[types.PyTree, types.Absorbed]:
    """Offer the lesson to one channel; a zero budget leaves its part of the state as it is."""
    if budget == 0:
        reason = "the scheduler gave it no budget"
        return getattr(state, name), types.Absorbed(name, "skipped", reason)
    channel: types.Channel = getattr(model, name)
    return channel.absorb(state, lesson, budget, seeds.derive(seed, name))


def compare(
    teacher: Teacher, state: run_state.RunState, lesson: types.Lesson, trial: Trial
) -> Trial:
    """Measure a trial's value: the mean validation reward over all tasks taught so far."""
    names = dict.fromkeys((*state.taught, lesson.task_name))
    value, cost = validate(teacher, trial.model, [teacher.tasks[name] for name in names])
    return trial._replace(value=value, measuring=trial.measuring + cost)


def validate(
    teacher: Teacher, state: types.ModelState, tasks: Iterable[types.Task]
) -> tuple[float, types.Cost]:
    """Return the mean over tasks of the greedy reward on their first validation examples."""
    answered = answers(teacher, state, tasks)
    scores = answered.scores
    return math.fsum(scores.values()) / len(scores), answered.cost


def answers(
    teacher: Teacher, state: types.ModelState, tasks: Iterable[types.Task]
) -> evaluator.Evaluation:
    """Return the greedy answers to the tasks' first validation examples, graded.

    Always the same examples, so that two states are compared on the same ones; never test examples.
    """
    probes = [
        dataclasses.replace(task, test=task.validation[: teacher.evaluation.probe_examples])
        for task in tasks
    ]
    settings = dataclasses.replace(teacher.evaluation, samples=1, temperature=0.0)
    return evaluator.evaluate(teacher.learner, state, probes, settings, 0)
