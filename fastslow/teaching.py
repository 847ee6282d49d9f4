"""One lesson: probe it, decide, let the channels absorb it, and say what that cost and gained."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fastslow import config, errors, learner, run_state, seeds, types, validation
from fastslow.report import happenings, wording
from fastslow.scheduler import checked


class ChannelError(errors.UserError, TypeError):
    """A channel of one's own gave no account of a lesson; the message names it."""


class Teacher(NamedTuple):
    """What teaching needs; nothing in it changes while it runs."""

    learner: learner.Learner
    scheduler: types.Scheduler
    tasks: Mapping[str, types.Task]
    evaluation: config.Evaluation
    tell: happenings.Tell


class Snapshot(NamedTuple):
    """A model on its way through a lesson, with what is known of it."""

    model: types.ModelState
    known: validation.Known  # of `model`
    reselected: types.Absorbed | None = None  # how its prompts were chosen again, if they were
    measuring: types.Cost = types.Cost()  # of validation answers on the way here

    @property
    def choosing(self) -> types.Cost:
        """What choosing its prompts again used."""
        return self.reselected.cost if self.reselected else types.Cost()

    def unmeasured(self) -> Snapshot:
        """Return it without the cost of measuring: of two ways that part here one pays it."""
        return self._replace(measuring=types.Cost())


class Trial(NamedTuple):
    """What becomes of a lesson under one choice of budgets."""

    budgets: types.Budgets
    end: Snapshot
    fast: types.Absorbed
    slow: types.Absorbed
    value: float = math.nan  # mean validation reward over the tasks taught so far, if compared

    @property
    def absorbed(self) -> tuple[types.Absorbed, types.Absorbed]:
        """What became of the lesson in both channels, in the order they had it."""
        return self.fast, self.slow

    @property
    def charged(self) -> tuple[types.Absorbed, types.Absorbed]:
        """Both channels, with choosing prompts again as a cost of the one whose gain it is."""
        fast, slow, choosing = self.fast, self.slow, self.end.choosing
        if slow.outcome == "changed":
            return fast, slow._replace(cost=slow.cost + choosing)
        return fast._replace(cost=fast.cost + choosing), slow

    @property
    def learning(self) -> types.Cost:
        """What the channels used, choosing prompts again included."""
        return self.fast.cost + self.slow.cost + self.end.choosing

    @property
    def cost(self) -> types.Cost:
        """Everything this choice used."""
        return self.learning + self.end.measuring


class Seen(NamedTuple):
    """What was found out about a lesson before anything was decided."""

    probe: types.Probe
    sketches: run_state.Sketches
    known: validation.Known  # of the state
    cost: types.Cost


def teach(
    teacher: Teacher, state: run_state.RunState, lesson: types.Lesson, seed: int
) -> tuple[run_state.RunState, types.LessonReport]:
    """Decide which channels absorb the lesson, and let them: prompts first, then weights."""
    seen = look(teacher, state, lesson, seeds.derive(seed, "probe"))
    policy = teacher.scheduler
    decision = checked.decision(policy.decide(state.scheduler, lesson, seen.probe), policy)
    teacher.tell(happenings.LessonStarted(lesson, decision))
    taught = tuple(dict.fromkeys((*state.taught, lesson.task_name)))
    start = Snapshot(state.model, seen.known)

    def tried(budgets: types.Budgets) -> Trial:
        return attempt(teacher, start, budgets, lesson, seed, taught if decision.guarded else ())

    trials = []
    for budgets in decision.trials:
        teacher.tell(happenings.TrialStarted(budgets))
        trials.append(valued(teacher, tried(budgets), taught))
    if trials:
        kept = max(trials, key=lambda trial: trial.value)
        teacher.tell(happenings.TrialKept(kept.budgets, kept.value, kept.absorbed))
    else:
        kept = tried(types.Budgets(decision.fast_budget, decision.slow_steps))
    discarded = [trial.cost for trial in trials if trial is not kept]
    deciding = sum(discarded, seen.cost + kept.end.measuring)
    observed = policy.observe(state.scheduler, lesson, seen.probe, kept.charged)
    after = dataclasses.replace(
        state,
        model=kept.end.model,
        scheduler=checked.state(observed, policy, "observe"),
        taught=(*state.taught, lesson.task_name),
        known=kept.end.known,
        sketches=seen.sketches if kept.slow.outcome == "changed" else state.sketches,
        worth=run_state.worth(state.worth, kept.charged),
        slow_steps=state.slow_steps + len(kept.slow.details.get("steps", ())),
        cost=state.cost + deciding + kept.learning,
    )
    compared = tuple(types.Compared(trial.budgets, trial.value) for trial in trials)
    report = types.LessonReport(
        seen.probe, decision, kept.absorbed, kept.end.reselected, compared, deciding
    )
    return after, report


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
    start: Snapshot,
    budgets: types.Budgets,
    lesson: types.Lesson,
    seed: int,
    guarding: Sequence[str] = (),
) -> Trial:
    """Offer the lesson to both channels, and measure what each of them gained.

    After any change the prompts are chosen again; what that gains is credited to the weights if
    they moved, otherwise to the prompts. With tasks `guarding` them, weights that moved are turned
    down where these tasks are worse with them (see `guard`). Gains are measured only if
    the validation reward of the lesson's task is known at the `start`. The seeds of the channels do
    not depend on the budgets, so that a trial does what the same choice would do without any.
    """
    name = lesson.task_name
    text, fast = offer(teacher, start, lesson, "fast", budgets.fast, seed)
    if budgets.slow > 0:  # tell it now: the weights take their time
        text, fast_gain = gain(teacher, start, text, name)
        teacher.tell(happenings.ChannelDone(fast._replace(gain=fast_gain)))
    weights, slow = offer(teacher, text, lesson, "slow", budgets.slow, seed)
    end: Snapshot | None = None  # with weights that moved
    if slow.outcome != "changed":
        text = settle(teacher, text, fast, lesson, seed)
    else:
        end = settle(teacher, weights, slow, lesson, seed)
        if guarding:
            text = settle(teacher, text.unmeasured(), fast, lesson, seed)
            end, text, slow = guard(teacher, end, text, slow, guarding)
    text, fast_gain = gain(teacher, start, text, name)
    end, slow_gain = gain(teacher, text, end or text, name)
    trial = Trial(budgets, end, fast._replace(gain=fast_gain), slow._replace(gain=slow_gain))
    untold = (trial.slow,) if budgets.slow > 0 else trial.absorbed
    for part in (*untold, end.reselected):
        if part is not None:
            teacher.tell(happenings.ChannelDone(part))
    return trial


def offer(
    teacher: Teacher, before: Snapshot, lesson: types.Lesson, name: str, budget: int, seed: int
) -> tuple[Snapshot, types.Absorbed]:
    """Offer the lesson to a channel; with a budget of zero it is not even asked."""
    if budget == 0:
        return before, types.Absorbed(name, "skipped", "the scheduler gave it no budget")
    channel: types.Channel = getattr(teacher.learner, name)
    part, absorbed = channel.absorb(before.model, lesson, budget, seeds.derive(seed, name))
    if not isinstance(absorbed, types.Absorbed) or absorbed.channel != name:
        raise ChannelError(
            f"{type(channel).__name__}.absorb must say what became of the lesson in an Absorbed "
            f"of the channel {name!r}, gave {absorbed!r}"
        )
    return moved(teacher, before, before.model._replace(**{name: part})), absorbed


def settle(
    teacher: Teacher, before: Snapshot, last: types.Absorbed, lesson: types.Lesson, seed: int
) -> Snapshot:
    """Choose the prompts again if the `last` channel changed anything."""
    if last.outcome != "changed":
        return before
    chosen = seeds.derive(seed, "reselection")
    fast, reselected = teacher.learner.reselect(before.model, lesson.index, chosen)
    after = moved(teacher, before, before.model._replace(fast=fast))
    return after._replace(reselected=reselected)


def moved(teacher: Teacher, before: Snapshot, model: types.ModelState) -> Snapshot:
    """Return the snapshot with another model, and what is still known of that."""
    known = validation.still_known(teacher.learner, before.known, before.model, model)
    return before._replace(model=model, known=known)


def gain(
    teacher: Teacher, before: Snapshot, after: Snapshot, task_name: str
) -> tuple[Snapshot, float]:
    """Return by how much the task's validation reward changed; NaN if it was not known before."""
    if task_name not in before.known:
        return after, math.nan
    after = measure(teacher, after, [task_name])
    return after, after.known[task_name].reward - before.known[task_name].reward


def guard(
    teacher: Teacher,
    both: Snapshot,
    text: Snapshot,
    slow: types.Absorbed,
    names: Sequence[str],
) -> tuple[Snapshot | None, Snapshot, types.Absorbed]:
    """Return `both`, None where the tasks are worse for the moved weights, `text` and verdict.

    The verdict tells either way what was measured. Worse: the mean reward over the tasks is lower
    by more than the standard error of the difference. A lesson that cannot be told from none is
    kept, since what weights learn often shows only after the next one. What was spent on the one
    that is not kept is counted as measuring of the other.
    """
    both, text = measure(teacher, both, names), measure(teacher, text, names)
    change = validation.change(text.known, both.known, names)
    measuring = both.measuring + text.measuring
    told = (
        f"{slow.reason}; mean validation reward over {wording.count(len(names), 'task')} taught so "
        f"far {change.mean:+.3f} with it (standard error {change.error:.3f})"
    )
    slow = slow._replace(reason=told)
    if change.mean >= -change.error:
        return both._replace(measuring=measuring + text.choosing), text, slow
    text = text._replace(measuring=measuring + both.choosing)
    return None, text, slow._replace(outcome="rejected")


def valued(teacher: Teacher, trial: Trial, names: Sequence[str]) -> Trial:
    """Return the trial with its value: the mean validation reward over the tasks."""
    end = measure(teacher, trial.end, names)
    return trial._replace(end=end, value=validation.mean_reward(end.known, names))


def measure(teacher: Teacher, snapshot: Snapshot, names: Iterable[str]) -> Snapshot:
    """Return the snapshot with the validation results of the tasks known."""
    known, cost = answers(teacher, snapshot.model, snapshot.known, names)
    return snapshot._replace(known=known, measuring=snapshot.measuring + cost)


def answers(
    teacher: Teacher, state: types.ModelState, known: validation.Known, names: Iterable[str]
) -> tuple[validation.Known, types.Cost]:
    """Return what is `known` of a state with the tasks that it lacks, and what these cost."""
    tasks = [teacher.tasks[name] for name in names]
    return validation.complete(teacher.learner, state, known, tasks, teacher.evaluation)
