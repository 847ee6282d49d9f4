"""The numbers behind the claims, by hand."""

import math
import pathlib

import pytest

from experiments.evidence import effects
from fastslow.report import runs


def evaluation(event, scores, drifts):
    drift = {t: {"with_prompt": {"trained_base": d}} for t, d in drifts.items()}
    return {"kind": "evaluation", "event": event, "scores": scores, "drift": drift}


def lesson(event, task, fast, slow, flops=1.0):
    cost = {"prompt_tokens": 0, "completion_tokens": 0, "train_tokens": 0, "flops": flops}
    part = {"channel": "slow", "cost": cost, "details": {"steps": [{}] * slow}}
    decision = {"fast_budget": fast, "slow_steps": slow}
    return {
        "kind": "lesson",
        "event": event,
        "task": task,
        "decision": decision,
        "absorbed": [part],
    }


def run(rows):
    return runs.Run(pathlib.Path("x"), {}, rows, done=True)


def learner(scores, drifts, fast=0, slow=4):
    """A run of one task: an evaluation before and after every lesson."""
    rows = [evaluation(0, {"a": scores[0]}, {"a": drifts[0]})]
    for number, (score, drift) in enumerate(zip(scores[1:], drifts[1:], strict=True)):
        rows.append(lesson(2 * number + 1, "a", fast, slow))
        rows.append(evaluation(2 * number + 2, {"a": score}, {"a": drift}))
    return run(rows)


FAST = learner([0.0, 0.5, 0.8], [0.0, 0.1, 0.3])
SLOW = learner([0.0, 0.1, 0.5], [0.0, 0.2, 0.5])


def test_steps_to_the_baselines_best_over_its_own():
    assert effects.relative_steps(FAST, SLOW) == 0.5  # 4 steps to 0.5 instead of 8
    assert effects.relative_steps(SLOW, FAST) == math.inf  # never reaches 0.8


def test_steps_count_on_the_lessons_of_their_own_task():
    def two_tasks(first, second):
        return run(
            [
                evaluation(0, {"a": 0.0, "b": 0.0}, {}),
                lesson(1, "a", 0, 8),
                evaluation(2, {"a": 0.5, "b": 0.0}, {}),
                lesson(3, "b", 0, 2),
                evaluation(4, {"a": 0.5, "b": first}, {}),
                lesson(5, "b", 0, 2),
                evaluation(6, {"a": 0.5, "b": second}, {}),
            ]
        )

    slow, fast = two_tasks(0.1, 0.6), two_tasks(0.7, 0.7)
    assert effects.relative_steps(fast, slow) == 0.75  # a: 8 of 8 steps, b: 2 of 4
    assert effects.relative_steps(slow, fast) == math.inf


def test_a_task_that_the_baseline_knows_untaught_is_left_out():
    known = learner([0.5, 0.4, 0.3], [0.0, 0.1, 0.3])
    assert math.isnan(effects.relative_steps(FAST, known))


def test_drift_is_compared_at_the_score_that_both_reach():
    # both reach 0.5: at a drift of 0.1 and of 0.5
    assert effects.relative_drift(FAST, SLOW) == pytest.approx(0.2)
    never = learner([0.0, 0.0], [0.0, 0.0])
    assert math.isnan(effects.relative_drift(FAST, never))


def test_shares_count_lessons_given_to_one_channel_alone():
    rows = [
        {"kind": "tasks", "tasks": {"a": {"kind": "skill"}, "b": {"kind": "convention"}}},
        lesson(1, "a", 0, 2),
        lesson(2, "a", 5, 2),
        lesson(3, "b", 5, 0),
        lesson(4, "b", 0, 0),
    ]
    assert effects.share_fast()(run(rows)) == 0.25
    assert effects.share_slow()(run(rows)) == 0.25
    assert effects.share_slow("skill")(run(rows)) == 0.5
    assert effects.share_fast("skill")(run(rows)) == 0.0


def test_costs_are_compared_lesson_by_lesson():
    lessons = [[lesson(1, "a", 0, 1, flops), lesson(2, "a", 0, 1)] for flops in (1.0, 3.0)]
    cheap, dear = map(run, lessons)
    assert effects.relative_cost("flops")(cheap, dear) == 0.5


def test_pairs_are_runs_with_the_same_seeds():
    found = {"x": {(0, 0): FAST, (1, 0): FAST}, "y": {(1, 0): SLOW, (2, 0): SLOW}}
    assert effects.between("x", "y", effects.relative_steps)(found) == {(1, 0): 0.5}
    assert effects.of("y", lambda run: 7.0)(found) == {(1, 0): 7.0, (2, 0): 7.0}


def test_runs_that_were_taught_other_items_are_not_compared():
    of = lambda digest: FAST._replace(about={"stream_digest": digest})
    effect = effects.between("a/x", "a/y", lambda run, baseline: 1.0)
    same = {"a/x": {(0, 0): of("1")}, "a/y": {(0, 0): of("1")}}
    assert effect(same) == {(0, 0): 1.0}
    with pytest.raises(effects.DataError, match="on other items"):
        effect({**same, "a/y": {(0, 0): of("2")}})
