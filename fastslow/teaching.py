"""One lesson: probe it, decide, let the channels absorb it, and say what that cost and gained."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fastslow import config, learner, run_state, seeds, types, validation
from fastslow.report import progress, wording
from fastslow.scheduler import checked


class Teacher(NamedTuple):
    """What teaching needs; nothing in it changes while it runs."""

    learner: learner.Learner
    scheduler: types.Scheduler
    tasks: Mapping[str, types.Task]
    evaluation: config.Evaluation
    watcher: progress.Progress


class Trial(NamedTuple):
    """What becomes of a lesson under one choice of budgets."""

    budgets: types.Budgets
    model: types.ModelState
    known: validation.Known  # of `model`
    absorbed: tuple[types.Absorbed, ...] = ()  # fast, slow
    measuring: types.Cost = types.Cost()  # of validation answers, and of what was not kept
    reselected: types.Absorbed | None = None  # the prompts chosen again, if anything changed
    value: float = math.nan  # mean validation reward over the tasks taught so far, if compared

    @property
    def cost(self) -> types.Cost:
        """Everything this choice used."""
        return self.learning + self.measuring

    @property
    def charged(self) -> tuple[types.Absorbed, types.Absorbed]:
        """Both channels, with choosing prompts again as a cost of the one whose gain it is."""
        fast, slow = self.absorbed
        if slow.outcome == "changed":
            return fast, slow._replace(cost=slow.cost + self.choosing)
        return fast._replace(cost=fast.cost + self.choosing), slow

    @property
    def learning(self) -> types.Cost:
        """What both channels used."""
        return sum((part.cost for part in self.absorbed), self.choosing)

    @property
    def choosing(self) -> types.Cost:
        """What choosing the prompts again used."""
        return self.reselected.cost if self.reselected else types.Cost()


class Seen(NamedTuple):
    """What was found out about a lesson before anything was decided."""

    probe: types.Probe
    sketches: run_state.Sketches
    known: validation.Known  # of the state
    cost: types.Cost


class Taught(NamedTuple):
    """A lesson's end: the new state, and what the records say of it."""

    state: run_state.RunState
    probe: types.Probe
    decision: types.Decision
    absorbed: tuple[types.Absorbed, ...]  # fast, slow
    reselected: types.Absorbed | None
    trials: tuple[Trial, ...]  # all that were compared; empty if there was no choice to make
    deciding: types.Cost  # probes, validation answers, and what was tried and not kept


def teach(teacher: Teacher, state: run_state.RunState, lesson: types.Lesson, seed: int) -> Taught:
    """Decide which channels absorb the lesson, and let them: prompts first, then weights."""
    seen = look(teacher, state, lesson, seeds.derive(seed, "probe"))
    policy = teacher.scheduler
    decision = checked.decision(policy.decide(state.scheduler, lesson, seen.probe), policy)
    teacher.watcher.lesson_started(lesson, decision)
    taught = tuple(dict.fromkeys((*state.taught, lesson.task_name)))

    def tried(budgets: types.Budgets) -> Trial:
        start = Trial(budgets, state.model, seen.known)
        return attempt(teacher, start, lesson, seed, taught if decision.guarded else ())

    trials = []
    for budgets in decision.trials:
        teacher.watcher.trial_started(budgets)
        trials.append(compare(teacher, tried(budgets), taught))
    if trials:
        kept = max(trials, key=lambda trial: trial.value)
        teacher.watcher.trial_kept(kept.budgets, kept.value, kept.absorbed)
    else:
        kept = tried(types.Budgets(decision.fast_budget, decision.slow_steps))
    deciding = sum(
        (trial.cost for trial in trials if trial is not kept), seen.cost + kept.measuring
    )
    _, slow = kept.absorbed
    observed = policy.observe(state.scheduler, lesson, seen.probe, kept.charged)
    after = dataclasses.replace(
        state,
        model=kept.model,
        scheduler=checked.state(observed, policy, "observe"),
        taught=(*state.taught, lesson.task_name),
        known=kept.known,
        sketches=seen.sketches if slow.outcome == "changed" else state.sketches,
        worth=run_state.worth(state.worth, kept.charged),
        slow_steps=state.slow_steps + len(slow.details.get("steps", ())),
        cost=state.cost + deciding + kept.learning,
    )
    return Taught(
        after, seen.probe, decision, kept.absorbed, kept.reselected, tuple(trials), deciding
    )


def look(teacher: Teacher, state: run_state.RunState, lesson: types.Lesson, seed: int) -> Seen:
    """Collect the facts about a lesson: counts always, measurements if the policy asks for them."""
    probe = run_state.probe(state, lesson)._replace(draw=seeds.derive(seed, "draw"))
    if not teacher.scheduler.probing:
        return Seen(probe, state.sketches, state.known, types.Cost())
    measured = teacher.learner.probe(state.model, lesson, seeds.derive(seed, "learner"))
    known, cost = answers(teacher, state.model, state.known, [lesson.task_name])
    result = known[lesson.task_name]
    facts: dict[str, Any] = {
        **measured.facts,
        "validation_reward": result.reward,
        "malformed_share": result.malformed,
    }
    sketches = dict(state.sketches)
    if measured.sketch is not None:
        facts["cosine"] = most_opposed(measured.sketch, state.sketches, lesson.task_name)
        sketches[lesson.task_name] = measured.sketch
    return Seen(probe._replace(**facts), sketches, known, measured.cost + cost)


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
    start: Trial,
    lesson: types.Lesson,
    seed: int,
    guarding: Sequence[str] = (),
) -> Trial:
    """Offer the lesson to both channels, and measure what each one gained if that can be told.

    It can where the reward of the lesson's task at the `start` is known. Where anything changed,
    the prompts are chosen again; what that gains counts for the weights if they moved, else for the
    prompts. Weights that moved are kept only where the mean reward over the tasks `guarding` them,
    if there are any, is better than without. The seeds of the channels do not depend on the
    budgets, so that a trial does what the same choice would do without any trial.
    """
    fast = offer(teacher, start, lesson, "fast", seed)
    if start.budgets.slow > 0:
        fast = credit(teacher, start, fast, lesson, place=0)
        teacher.watcher.absorbed(fast.absorbed[0])
    slow = offer(teacher, fast, lesson, "slow", seed)
    if slow.absorbed[1].outcome != "changed":
        trial = finish(teacher, start, slow, lesson, seed, place=0)
    else:
        trial = finish(teacher, fast, slow, lesson, seed, place=1)
        if guarding:
            turned_down = slow.absorbed[1]._replace(outcome="rejected")
            text = fast._replace(absorbed=(fast.absorbed[0], turned_down), measuring=types.Cost())
            text = finish(teacher, start, text, lesson, seed, place=0)
            trial = guard(teacher, trial, text, lesson, guarding)
    return told(teacher, trial, first=1 if start.budgets.slow > 0 else 0)


def offer(teacher: Teacher, trial: Trial, lesson: types.Lesson, name: str, seed: int) -> Trial:
    """Offer the lesson to the next channel."""
    budget: int = getattr(trial.budgets, name)
    part, result = absorb(teacher.learner, name, trial.model, lesson, budget, seed)
    return moved(teacher, trial, trial.model._replace(**{name: part}))._replace(
        absorbed=(*trial.absorbed, result)
    )


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


def finish(
    teacher: Teacher, before: Trial, trial: Trial, lesson: types.Lesson, seed: int, *, place: int
) -> Trial:
    """Choose the prompts again if anything changed; who is at `place` gained since `before`."""
    if any(part.outcome == "changed" for part in trial.absorbed):
        chosen = seeds.derive(seed, "reselection")
        fast, again = teacher.learner.reselect(trial.model, lesson.index, chosen)
        changed = moved(teacher, trial, trial.model._replace(fast=fast))
        trial = changed._replace(reselected=again)
    return credit(teacher, before, trial, lesson, place=place)


def moved(teacher: Teacher, trial: Trial, model: types.ModelState) -> Trial:
    """Return the trial with another model, and what is still known of that."""
    known = validation.still_known(teacher.learner, trial.known, trial.model, model)
    return trial._replace(model=model, known=known)


def credit(
    teacher: Teacher, before: Trial, trial: Trial, lesson: types.Lesson, *, place: int
) -> Trial:
    """Return the trial with the gain of the channel at `place` since `before`, if that is known.

    What comes after that channel gained nothing.
    """
    name = lesson.task_name
    if name not in before.known:
        return trial
    trial = measure(teacher, trial, [name])
    gain = trial.known[name].reward - before.known[name].reward
    parts = [
        part if at < place else part._replace(gain=gain if at == place else 0.0)
        for at, part in enumerate(trial.absorbed)
    ]
    return trial._replace(absorbed=tuple(parts))


def guard(
    teacher: Teacher, both: Trial, text: Trial, lesson: types.Lesson, names: Sequence[str]
) -> Trial:
    """Return the lesson with the moved weights if it is better for the tasks, else without them.

    What it is worth without them is measured, so what is gained with them is gained by them.
    """
    both, text = compare(teacher, both, names), compare(teacher, text, names)
    fast, slow = text.absorbed
    if both.value > text.value:
        both = credit(teacher, text, both, lesson, place=1)
        return both._replace(
            absorbed=(fast, both.absorbed[1]),
            measuring=both.measuring + text.measuring + text.choosing,
        )
    reason = (
        f"{slow.reason}; mean validation reward over {wording.count(len(names), 'task')} taught so "
        f"far {both.value:.3f} with it, {text.value:.3f} without"
    )
    return text._replace(
        absorbed=(fast, slow._replace(reason=reason)),
        measuring=text.measuring + both.measuring + both.choosing,
    )


def compare(teacher: Teacher, trial: Trial, names: Sequence[str]) -> Trial:
    """Measure a trial's value: the mean validation reward over the tasks."""
    trial = measure(teacher, trial, names)
    return trial._replace(value=validation.mean_reward(trial.known, names))


def measure(teacher: Teacher, trial: Trial, names: Iterable[str]) -> Trial:
    """Return the trial with the validation results of the tasks known."""
    known, cost = answers(teacher, trial.model, trial.known, names)
    return trial._replace(known=known, measuring=trial.measuring + cost)


def answers(
    teacher: Teacher, state: types.ModelState, known: validation.Known, names: Iterable[str]
) -> tuple[validation.Known, types.Cost]:
    """Return what is `known` of a state with the tasks that it lacks, and what these cost."""
    tasks = [teacher.tasks[name] for name in names]
    return validation.complete(teacher.learner, state, known, tasks, teacher.evaluation)


def told(teacher: Teacher, trial: Trial, first: int = 0) -> Trial:
    """Tell the watcher what became of the lesson in the channels from the `first` on."""
    for part in trial.absorbed[first:]:
        teacher.watcher.absorbed(part)
    if trial.reselected is not None:
        teacher.watcher.absorbed(trial.reselected)
    return trial
