"""The loop over a learner without a language model: order of things, resume from every event."""

import dataclasses
import json
import math

import numpy as np
import pytest

from fastslow import checkpoint, computing, config, learner, run, run_state, scheduler, types
from fastslow.report import happenings, predictions, records
from tests import toy


def experiment(policy="interleave", seed=0, **options):
    if policy == "interleave":
        options = {"fast_budget": 2, "slow_steps": 2, **options}
    return run.Experiment(
        toy.Stream(),
        toy.LEARNER,
        scheduler.SCHEDULERS.build(policy, options),
        config.Evaluation(),
        seed,
    )


def fresh(made):
    return run_state.init(made.learner, made.scheduler, made.seed)


def rows(directory):
    return [records.comparable(row) for row in records.read(directory)]


def same(left, right):
    """Compare two run states to the last bit, but for the time they took."""
    np.testing.assert_array_equal(left.model.slow["w"], right.model.slow["w"])
    one, other = (
        dataclasses.replace(state, model=None, cost=state.cost._replace(seconds=0.0))
        for state in (left, right)
    )
    assert one == other
    assert left.model.fast == right.model.fast


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return an uninterrupted run: its experiment, final state and directory."""
    directory = tmp_path_factory.mktemp("whole")
    made = experiment()
    return made, run.run(made, fresh(made), directory), directory


def test_records_have_one_row_per_event_in_order(whole):
    made, state, directory = whole
    events = list(made.stream.events())
    found = rows(directory)
    assert [row["event"] for row in found] == [event.index for event in events]
    kinds = ["lesson" if isinstance(e, types.Lesson) else "evaluation" for e in events]
    assert [row["kind"] for row in found] == kinds
    assert state.position == len(events)
    assert state.slow_steps == 2 * kinds.count("lesson")


def test_freed_memory_is_given_back_after_every_event(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(
        computing, "give_back_memory", lambda: given.append(len(checkpoint.events(tmp_path)))
    )
    made = experiment()
    run.run(made, fresh(made), tmp_path, keep=checkpoint.ALL)
    assert given == [1 + event.index for event in made.stream.events()]  # what is kept is safe then


def test_prompts_move_before_weights_and_both_see_the_lesson(whole):
    _, _, directory = whole
    lesson = next(row for row in rows(directory) if row["kind"] == "lesson")
    assert [a["channel"] for a in lesson["absorbed"]] == ["fast", "slow"]
    assert lesson["decision"]["reason"]
    counts = {"times_seen": 0, "lessons_since": 0, "lesson_number": 0}
    assert lesson["probe"].items() >= counts.items()
    assert lesson["probe"]["validation_reward"] is None  # this policy does not ask for it


def test_rows_say_what_the_policy_knows_after_the_lesson(tmp_path):
    made = experiment("gain_cost")
    state = run.run(made, fresh(made), tmp_path)
    known = [row["scheduler_state"] for row in rows(tmp_path) if row["kind"] == "lesson"]
    assert known[-1] == state.scheduler
    assert known[0] not in (made.scheduler.init(), state.scheduler)


def test_scores_are_the_mean_of_the_written_predictions(whole):
    _, _, directory = whole
    last = rows(directory)[-1]
    for task, score in last["scores"].items():
        written = predictions.read(directory, last["event"], task)
        assert math.isclose(score, sum(p["score"] for p in written) / len(written))
        assert last["counts"][task] == len(written) == 6


def test_the_toy_learns_and_forgets(whole):
    _, _, directory = whole
    evaluations = records.of_kind(rows(directory), "evaluation")
    assert sum(evaluations[0]["scores"].values()) == 0
    assert sum(evaluations[-1]["scores"].values()) > 0.5


@pytest.fixture(scope="module", params=["interleave", "gain_cost", "oracle"])
def any_policy(request, tmp_path_factory):
    """Return an uninterrupted run of a policy, as `whole` does."""
    directory = tmp_path_factory.mktemp(request.param)
    made = experiment(request.param, fast_budget=2, slow_steps=2)
    made = made._replace(learner=made.learner._replace(probe=measure))
    return made, run.run(made, fresh(made), directory), directory


def measure(state, lesson, seed):
    """Probe a lesson: the sketch is drawn, so that the order of things matters."""
    sketch = tuple(np.random.default_rng(seed).normal(size=4).tolist())
    return learner.Measured({"drift": float(state.slow["w"].sum())}, sketch, types.Cost(flops=5.0))


def test_cost_is_the_sum_over_all_rows(any_policy):
    _, state, directory = any_policy
    spent = types.Cost()
    for row in rows(directory):
        costs = [part["cost"] for part in [*row.get("absorbed", []), row] if "cost" in part]
        for cost in [*costs, row.get("deciding", {})]:
            spent += types.Cost(**{"seconds": 0.0, **cost})
    assert state.cost._replace(seconds=0.0) == spent._replace(seconds=0.0)


def test_resume_from_every_checkpoint_ends_in_the_same_state(any_policy, tmp_path):
    made, expected, full = any_policy
    state = fresh(made)
    for stop in range(len(list(made.stream.events()))):
        directory = tmp_path / str(stop)
        partial = stop_after(made, state, directory, stop)
        saved = checkpoint.restore(
            directory, partial.position, run_state.save(fresh(made), made.learner).arrays
        )
        resumed = run_state.restore(saved, made.learner)
        same(resumed, partial)
        records.truncate_after(directory, resumed.position)
        final = run.run(made, resumed, directory)
        same(final, expected)
        assert rows(directory) == rows(full)


def stop_after(made, state, directory, events):
    """Run the first `events` + 1 events, and leave a row of an event that got no checkpoint."""
    shortened = dataclasses.replace(toy.Stream())
    first = list(shortened.events())[: events + 1]

    class Short:
        tasks = shortened.tasks

        def events(self):
            return iter(first)

    partial = run.run(made._replace(stream=Short()), state, directory)
    records.append(directory, {**rows(directory)[-1], "event": events + 1}, 0.0)
    return partial


def test_seed_and_channels_change_the_result(whole):
    _, expected, _ = whole
    finals = {}
    for name, other in {
        "seed": experiment(seed=1),
        "slow_only": experiment("slow_only", slow_steps=2),
        "fast_only": experiment("fast_only", fast_budget=2),
    }.items():
        state = fresh(other)
        for event in other.stream.events():
            if isinstance(event, types.Lesson):
                state, _ = run.learn(other, state, event, happenings.silent)
        finals[name] = state
    assert (finals["seed"].model.slow["w"] != expected.model.slow["w"]).any()
    assert finals["slow_only"].model.fast == ()
    assert finals["fast_only"].model.slow["w"].sum() == 0
    assert finals["fast_only"].slow_steps == 0


def test_quadrants_reuse_what_is_known_and_measure_the_rest(whole):
    made, state, directory = whole
    known = records.known_quadrants(directory, made.stream.tasks)
    scores, cost = run.quadrants(made, state, known)
    assert set(scores) == {"base_seed", "base_evolved", "trained_seed", "trained_evolved"}
    assert all(set(by_task) == set(toy.TASKS) for by_task in scores.values())
    assert cost.prompt_tokens == 2 * 3 * 6  # two corners, three tasks, six items
    total = {corner: sum(by_task.values()) for corner, by_task in scores.items()}
    assert total["base_seed"] == 0
    assert total["trained_evolved"] >= max(total["trained_seed"], total["base_evolved"]) > 0


def taught(made):
    """Return the state after all lessons, without any evaluation."""
    state = fresh(made)
    for event in made.stream.events():
        if isinstance(event, types.Lesson):
            state, _ = run.learn(made, state, event, happenings.silent)
    return state


def test_quadrants_of_a_channel_that_never_moved_are_one_measurement():
    made = experiment("fast_only", fast_budget=2)
    state = taught(made)
    scores, cost = run.quadrants(made, state, {})
    assert scores["trained_seed"] == scores["base_seed"]
    assert scores["trained_evolved"] == scores["base_evolved"] != scores["base_seed"]
    assert cost.prompt_tokens == 2 * 3 * 6


def test_what_is_known_of_a_channel_that_never_moved_is_not_measured_again():
    made = experiment("fast_only", fast_budget=2)
    state = taught(made)
    known = {
        corner: dict.fromkeys(toy.TASKS, score)
        for corner, score in (("base_seed", 0.25), ("trained_evolved", 0.75))
    }
    scores, cost = run.quadrants(made, state, known)
    assert scores["trained_seed"] == scores["base_seed"] == known["base_seed"]
    assert scores["base_evolved"] == scores["trained_evolved"] == known["trained_evolved"]
    assert cost == types.Cost()


class Unmoved(toy.Slow):
    """A slow channel that tries its steps and turns the result down."""

    def absorb(self, state, lesson, budget, seed):
        _, absorbed = super().absorb(state, lesson, budget, seed)
        return state.slow, absorbed._replace(outcome="rejected", reason="no signal")


def test_weights_whose_steps_were_all_turned_down_never_moved():
    made = experiment("slow_only", slow_steps=2)
    made = made._replace(learner=made.learner._replace(slow=Unmoved()))
    state = taught(made)
    assert state.slow_steps > 0
    scores, cost = run.quadrants(made, state, {})
    assert scores["trained_seed"] == scores["base_seed"]
    assert cost.prompt_tokens == 3 * 6  # one corner


def test_state_text_is_strict_json(whole):
    made, state, _ = whole
    saved = run_state.save(state, made.learner)
    assert json.loads(json.dumps(saved.text, allow_nan=False)) == saved.text
