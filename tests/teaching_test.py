"""How a lesson is probed, decided, tried and paid for, with a learner that is no language model."""

import dataclasses
import math
import re
from typing import NamedTuple

import numpy as np
import pytest

from fastslow import config, learner, run_state, teaching, types, validation
from fastslow.report import happenings
from tests import toy


@dataclasses.dataclass(frozen=True)
class Fixed:
    """Decides always the same."""

    decision: types.Decision
    probing: bool = True

    def init(self):
        return []

    def decide(self, state, lesson, probe):
        return self.decision

    def observe(self, state, lesson, probe, absorbed):
        return [*state, [probe._asdict(), [part.gain for part in absorbed]]]


def measure(state, lesson, seed):
    sketch = {"red": (1.0, 0.0), "green": (-0.6, 0.8), "blue": (0.0, 1.0)}[lesson.task_name]
    return learner.Measured({"sampled_reward": 0.5}, sketch, types.Cost(flops=100.0))


def teacher(decision, probing=True):
    stream = toy.Stream()
    return teaching.Teacher(
        toy.LEARNER._replace(probe=measure),
        Fixed(types.Decision(*decision), probing),
        stream.tasks,
        config.Evaluation(probe_examples=4),
        happenings.silent,
    )


def start(made):
    return run_state.init(made.learner, made.scheduler, 0)


def lesson(name="red", index=0):
    return types.Lesson(index, name, toy.task(name).train[:3])


class Taught(NamedTuple):
    """The state after a lesson, and what its report says."""

    state: run_state.RunState
    probe: types.Probe
    absorbed: tuple[types.Absorbed, ...]
    reselected: types.Absorbed | None
    trials: tuple[types.Compared, ...]
    deciding: types.Cost


def teach(made, state=None, name="red", seed=0):
    after, report = teaching.teach(made, state or start(made), lesson(name), seed)
    fields = report._asdict()
    assert fields.pop("decision") == made.scheduler.decision
    return Taught(after, **fields)


def validate(made, state, *names):
    """The mean reward over tasks, measured anew."""
    tasks = [toy.task(name) for name in names]
    known, _ = validation.complete(made.learner, state, {}, tasks, made.evaluation)
    return validation.mean_reward(known, names)


def test_a_policy_that_does_not_probe_pays_for_no_measurement():
    made = teacher((2, 2, "both"), probing=False)
    taught = teach(made)
    assert math.isnan(taught.probe.validation_reward)
    assert taught.deciding == types.Cost()
    assert all(math.isnan(part.gain) for part in taught.absorbed)
    assert taught.state.sketches == {}


def test_gains_are_changes_of_the_validation_reward_channel_by_channel():
    made = teacher((0, 2, "weights"))
    taught = teach(made)
    before = validate(made, start(made).model, "red")
    after = validate(made, taught.state.model, "red")
    fast, slow = taught.absorbed
    assert taught.probe.validation_reward == before == 0.0
    assert fast.gain == 0.0
    assert slow.gain == after - before > 0
    assert taught.state.scheduler[0][1] == [fast.gain, slow.gain]


def test_validation_never_reads_test_items():
    made = teacher((0, 0, "nothing"))
    seen = []

    def predict(state, task, examples, seed, temperature):
        seen.extend(examples)
        return toy.predict(state, task, examples, seed, temperature)

    spied = made._replace(learner=made.learner._replace(predict=predict))
    teach(spied)
    assert seen == list(toy.task("red").validation[:4])


def test_what_measuring_costs_is_counted_apart_from_the_channels():
    taught = teach(teacher((2, 2, "both")))
    # the probe, and four validation answers before, after fast and after slow
    assert taught.deciding.flops == 100.0
    assert taught.deciding.metric_calls == 3 * 4
    channels = sum((part.cost for part in taught.absorbed), types.Cost())
    assert taught.state.cost == channels + taught.deciding


def test_a_lesson_is_compared_with_the_tasks_it_may_disturb():
    made = teacher((0, 1, "weights"))
    first = teach(made)
    assert math.isnan(first.probe.cosine)
    second = teach(made, first.state, "green")
    assert second.probe.cosine == pytest.approx(-0.6)
    third = teach(made, second.state, "blue")
    assert third.probe.cosine == 0.0  # with red; with green it is +0.8
    in_text = teach(teacher((1, 0, "prompts")), first.state, "green")
    assert in_text.probe.cosine == pytest.approx(-0.6)
    assert in_text.state.sketches == first.state.sketches  # weights cannot lose what they lack
    again = teach(made, third.state, "red")
    assert again.probe.cosine == pytest.approx(-0.6)  # its own gradient does not count


def test_trials_start_from_one_state_and_the_best_is_kept():
    trials = tuple(types.Budgets(*t) for t in ((0, 0), (0, 1), (0, 4)))
    taught = teach(teacher((0, 0, "try", trials)))
    values = [trial.value for trial in taught.trials]
    assert values[0] == 0.0
    assert values[2] == max(values) > values[1]
    alone = teach(teacher((0, 4, "weights")))
    assert taught.state.model.slow["w"].tolist() == alone.state.model.slow["w"].tolist()
    assert taught.state.slow_steps == 4
    assert taught.deciding.train_tokens == 7
    assert taught.state.cost.train_tokens == 7 + 28


def test_of_equal_trials_the_first_is_kept():
    trials = tuple(types.Budgets(*t) for t in ((2, 0), (0, 0)))
    made = teacher((0, 0, "try", trials))._replace(learner=forgetful([]))
    taught = teach(made)
    assert [trial.value for trial in taught.trials] == [0.0, 0.0]  # the notes are dropped again
    assert [part.outcome for part in taught.absorbed] == ["changed", "skipped"]


class Listening:
    """Note the trials that are told, and what became of the lesson in the weights."""

    def __init__(self):
        self.heard = []

    def __call__(self, happening):
        match happening:
            case happenings.TrialStarted() | happenings.TrialKept():
                self.heard.append(happening)
            case happenings.ChannelDone(types.Absorbed("slow", outcome)):
                self.heard.append(outcome)


def test_trials_are_told_as_they_come_and_then_which_is_kept():
    trials = tuple(types.Budgets(*t) for t in ((0, 0), (0, 4)))
    listening = Listening()
    taught = teach(teacher((0, 0, "try", trials))._replace(tell=listening))
    first, second = taught.trials
    assert listening.heard == [
        happenings.TrialStarted(first.budgets),
        "skipped",
        happenings.TrialStarted(second.budgets),
        "changed",
        happenings.TrialKept(*second, taught.absorbed),
    ]
    alone = Listening()
    teach(teacher((0, 4, "weights"))._replace(tell=alone))
    assert alone.heard == ["changed"]


def test_trials_are_judged_on_all_tasks_taught_so_far():
    """Green forgets red here: after it the value counts both."""
    made = teacher((0, 4, "weights"))
    state = teach(made).state
    trials = (types.Budgets(0, 0), types.Budgets(0, 1))
    taught = teach(teacher((0, 0, "try", trials)), state, "green")
    alone = teach(teacher((0, 1, "weights")), state, "green").state.model
    assert taught.trials[1].value == validate(made, alone, "red", "green")


def forgetful(asked):
    """A learner that drops its notes when the weights have moved, and records when it was asked."""

    def reselect(state, lesson, seed):
        asked.append((lesson, state.slow["w"].tolist()))
        cost = types.Cost(metric_calls=11)
        return (), types.Absorbed("prompts", "changed", "dropped", 0.25, 0.5, cost)

    return toy.LEARNER._replace(probe=measure, reselect=reselect)


def test_prompts_are_chosen_again_after_the_last_channel_if_anything_changed():
    asked = []
    made = teacher((2, 2, "both"))._replace(learner=forgetful(asked))
    taught = teach(made)
    assert asked == [(0, taught.state.model.slow["w"].tolist())]
    assert taught.state.model.fast == ()
    assert taught.reselected.reason == "dropped"
    learning = taught.state.cost.metric_calls - taught.deciding.metric_calls
    assert learning == 2 + 11  # the notes taken, the choice
    after = validate(made, taught.state.model, "red")
    assert taught.probe.validation_reward + sum(p.gain for p in taught.absorbed) == after
    text_only = teacher((2, 0, "text"))._replace(learner=forgetful(asked))
    taught = teach(text_only)
    assert taught.reselected.reason == "dropped"
    assert taught.absorbed[0].gain == 0  # measured on what was chosen, not on what was taken
    nothing = teacher((0, 0, "nothing"))._replace(learner=forgetful(asked))
    assert teach(nothing).reselected is None
    assert len(asked) == 2


def test_gains_add_up_where_the_channel_after_which_prompts_are_chosen_is_turned_down():
    @dataclasses.dataclass(frozen=True)
    class TurnedDown(toy.Slow):
        def absorb(self, state, lesson, budget, seed):
            return state.slow, types.Absorbed("slow", "rejected", "no signal")

    made = teacher((2, 2, "both"))
    made = made._replace(learner=forgetful([])._replace(slow=TurnedDown()))
    taught = teach(made)
    assert [part.outcome for part in taught.absorbed] == ["changed", "rejected"]
    assert [part.gain for part in taught.absorbed] == [0, 0]  # notes taken and dropped again


def test_choosing_prompts_again_is_charged_to_the_channel_after_which_it_was():
    parts = tuple(
        types.Absorbed(name, "changed", "", cost=types.Cost(7)) for name in ("fast", "slow")
    )
    again = types.Absorbed("prompts", "changed", "", cost=types.Cost(metric_calls=3))
    end = teaching.Snapshot(types.ModelState((), ()), {}, again)
    trial = teaching.Trial(types.Budgets(1, 1), end, *parts)
    assert [part.cost.metric_calls for part in trial.charged] == [0, 3]
    for outcome in ("skipped", "rejected", "failed"):
        alone = trial._replace(slow=parts[1]._replace(outcome=outcome))
        assert [part.cost.metric_calls for part in alone.charged] == [3, 0]


@dataclasses.dataclass(frozen=True)
class Wrecking(toy.Slow):
    """Teaches its task, and unteaches all others."""

    def absorb(self, state, lesson, budget, seed):
        slow, result = super().absorb(state, lesson, budget, seed)
        own = toy.TASKS.index(lesson.task_name)
        return {"w": np.where(np.arange(len(toy.TASKS)) == own, slow["w"], 0)}, result


def guarding(slow=toy.LEARNER.slow, fast=0, steps=4):
    """A teacher that gives the weights some steps and turns them down if tasks are the worse."""
    made = teacher((fast, steps, "guarded"))
    decision = made.scheduler.decision._replace(guarded=True)
    learning = made.learner._replace(slow=slow)
    return made._replace(learner=learning, scheduler=Fixed(decision))


def two_taught():
    """The state after red and green, which are known to have something to lose."""
    state = teach(guarding()).state
    state = teach(guarding(), state, "green").state
    rewards = [state.known[name].reward for name in ("red", "green")]
    assert min(rewards) > 0
    return state


def test_moved_weights_are_kept_where_the_tasks_so_far_are_better_with_them():
    made = guarding()
    taught = teach(made)
    assert taught.absorbed[1].outcome == "changed"
    alone = teach(teacher((0, 4, "weights")))
    assert taught.state.model.slow["w"].tolist() == alone.state.model.slow["w"].tolist()
    assert [part.gain for part in taught.absorbed] == [part.gain for part in alone.absorbed]


def test_weights_that_are_kept_gained_what_the_text_alone_did_not():
    """Reselection drops the notes: text alone gains nothing, and the weights all there is."""
    made = guarding(fast=2)
    made = made._replace(learner=forgetful([])._replace(slow=made.learner.slow))
    taught = teach(made)
    fast, slow = taught.absorbed
    assert (fast.outcome, slow.outcome) == ("changed", "changed")
    assert fast.gain == 0
    assert slow.gain == validate(made, taught.state.model, "red") > 0


def test_moved_weights_are_turned_down_where_another_task_loses_more():
    state = two_taught()
    made = guarding(Wrecking())
    taught = teach(made, state, "blue")
    assert taught.state.model.slow is state.model.slow
    slow = taught.absorbed[1]
    assert (slow.outcome, slow.gain) == ("rejected", 0.0)
    unguarded = teach(teacher((0, 4, "weights"))._replace(learner=made.learner), state, "blue")
    assert unguarded.absorbed[1].outcome == "changed"
    assert slow.cost == unguarded.absorbed[1].cost  # it was paid for all the same
    assert taught.state.slow_steps == 12
    assert taught.state.sketches == state.sketches
    names = ("red", "green", "blue")
    lost = validate(made, unguarded.state.model, *names) - validate(made, state.model, *names)
    assert slow.reason.startswith(
        f"stepped; mean validation reward over 3 tasks taught so far {lost:+.3f} with it (standard "
    )


def test_moved_weights_are_kept_where_chance_may_be_why_the_tasks_are_worse():
    state = teach(guarding(Wrecking())).state
    assert state.known["red"].reward == 0.75
    taught = teach(guarding(Wrecking(), steps=3), state, "green")
    assert [taught.state.known[name].reward for name in ("red", "green")] == [0, 0.5]
    slow = taught.absorbed[1]
    assert slow.outcome == "changed"
    told = r"over 2 tasks taught so far (-0\.\d+) with it \(standard error (0\.\d+)\)"
    lost = re.search(told, slow.reason)
    assert lost, slow.reason
    assert float(lost[1]) >= -float(lost[2])  # told though it is kept


def test_what_the_prompts_learned_in_the_lesson_outlives_the_weights():
    asked = []
    state = two_taught()
    made = guarding(Wrecking(), fast=2)
    made = made._replace(learner=made.learner._replace(reselect=keeping(asked)))
    taught = teach(made, state, "blue")
    assert [part.outcome for part in taught.absorbed] == ["changed", "rejected"]
    assert len(taught.state.model.fast) == 2
    assert taught.absorbed[0].gain > 0
    with_weights, without = asked
    assert with_weights is not without
    assert without is state.model.slow  # prompts are chosen again for the weights that stay
    charged = sum((part.cost for part in taught.absorbed), taught.reselected.cost)
    assert taught.state.cost == state.cost + taught.deciding + charged
    assert taught.deciding.metric_calls >= 11  # choosing prompts for the weights that were not kept


def keeping(asked):
    def reselect(state, lesson, seed):
        asked.append(state.slow)
        return state.fast, types.Absorbed(
            "prompts", "rejected", "", cost=types.Cost(metric_calls=11)
        )

    return reselect


def test_what_is_known_of_a_state_is_not_asked_again():
    made = guarding()
    first = teach(made)
    # 4 answers before, 4 after
    assert first.deciding.metric_calls == 2 * 4
    again = teach(made, first.state)
    assert again.probe.validation_reward == validate(made, first.state.model, "red")
    assert again.deciding.metric_calls == 4
    other = teach(made, first.state, "green")
    assert other.deciding.metric_calls == 4 + 2 * 4  # red is known before, and asked after
    assert set(other.state.known) == {"red", "green"}
    saved = run_state.save(other.state, made.learner)
    assert run_state.restore(saved, made.learner).known == other.state.known


def test_a_channel_that_reports_under_another_name_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Misnamed(toy.Slow):
        def absorb(self, state, lesson, budget, seed):
            slow, result = super().absorb(state, lesson, budget, seed)
            return slow, result._replace(channel="weights")

    made = teacher((0, 2, "weights"))
    made = made._replace(learner=made.learner._replace(slow=Misnamed()))
    with pytest.raises(teaching.ChannelError, match=r"Misnamed\.absorb .* channel 'slow'"):
        teach(made)
