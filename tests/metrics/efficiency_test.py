import math

import numpy as np
import pytest

from fastslow.metrics import efficiency
from fastslow.metrics import matrix as matrices

NAN = float("nan")


def evaluation(event, **scores):
    return {"event": event, "kind": "evaluation", "scores": scores}


def lesson(event, steps, fast_calls=0):
    slow = {"channel": "slow", "details": {"steps": [{}] * steps}, "cost": {"metric_calls": 0}}
    fast = {"channel": "fast", "details": {}, "cost": {"metric_calls": fast_calls}}
    return {"event": event, "kind": "lesson", "task": "a", "absorbed": [fast, slow]}


ROWS = [
    evaluation(0, a=0.0, b=0.2),
    lesson(1, steps=4, fast_calls=10),
    lesson(2, steps=2),
    evaluation(3, a=0.5, b=0.3),
    lesson(4, steps=3, fast_calls=5),
    evaluation(5, a=0.9, b=None),
]


def curve(efforts, scores):
    return efficiency.Curve(np.array(efforts, float), np.array(scores, float))


def test_curve_adds_up_the_steps_of_lessons_and_has_no_mean_over_some_of_the_tasks():
    learned = efficiency.curve(ROWS)
    np.testing.assert_array_equal(learned.effort, [0, 6, 9])
    np.testing.assert_allclose(learned.scores, [0.1, 0.4, NAN])


def test_curve_of_one_task_against_any_cost():
    learned = efficiency.curve(ROWS, task="b", effort=efficiency.cost("metric_calls"))
    np.testing.assert_array_equal(learned.effort, [0, 10, 15])
    np.testing.assert_array_equal(learned.scores, [0.2, 0.3, NAN])


def test_tokens_are_those_read_written_and_trained_on_in_both_channels():
    names = ("prompt_tokens", "completion_tokens", "train_tokens", "metric_calls")
    parts = [
        {"cost": dict(zip(names, counts, strict=True))} for counts in ((1, 2, 0, 9), (4, 8, 16, 9))
    ]
    row = {"kind": "lesson", "absorbed": parts}
    assert efficiency.tokens(row) == 31
    rows = [evaluation(0), row, row, evaluation(3), row]
    np.testing.assert_array_equal(efficiency.spent(rows, efficiency.EFFORTS["tokens"]), [0, 62])


def test_what_deciding_used_counts_too():
    used = dict.fromkeys(("prompt_tokens", "completion_tokens", "train_tokens", "flops"), 2)
    row = {"kind": "lesson", "absorbed": [{"cost": used}], "deciding": used}
    assert efficiency.tokens(row) == 12
    assert efficiency.cost("flops")(row) == 4


def test_what_choosing_prompts_again_used_counts_too():
    used = dict.fromkeys(("prompt_tokens", "completion_tokens", "train_tokens", "flops"), 2)
    row = {"kind": "lesson", "absorbed": [{"cost": used}], "reselected": {"cost": used}}
    assert efficiency.tokens(row) == 12
    assert efficiency.tokens({**row, "reselected": None}) == 6


def test_curve_of_an_unknown_task_is_refused():
    with pytest.raises(matrices.MatrixError, match="'c'"):
        efficiency.curve(ROWS, task="c")


def test_effort_to_reach_is_the_first_evaluation_at_the_level():
    learned = curve([0, 10, 20, 30], [0.1, NAN, 0.6, 0.6])
    assert efficiency.effort_to_reach(learned, 0.1) == 0
    assert efficiency.effort_to_reach(learned, 0.5) == 20
    assert efficiency.effort_to_reach(learned, 0.6) == 20
    assert efficiency.effort_to_reach(learned, 0.7) == math.inf


def test_relative_effort_is_below_one_for_the_faster_method():
    fast_slow = curve([0, 10, 20, 30], [0.0, 0.5, 0.7, 0.8])
    slow_only = curve([0, 10, 20, 30], [0.0, 0.2, 0.4, 0.5])
    assert efficiency.relative_effort(fast_slow, slow_only) == pytest.approx(1 / 3)
    assert efficiency.relative_effort(slow_only, fast_slow) == math.inf
    assert efficiency.relative_effort(slow_only, slow_only) == 1


def test_relative_effort_takes_the_first_time_of_the_best_score():
    peaked = curve([0, 10, 20, 30], [0.0, 0.6, 0.4, 0.6])
    assert efficiency.relative_effort(curve([0, 40], [0.0, 0.6]), peaked) == 4


@pytest.mark.filterwarnings("error")
def test_relative_effort_without_a_baseline_is_nan():
    some = curve([0, 10], [0.0, 0.5])
    assert math.isnan(efficiency.relative_effort(some, curve([0, 10], [0.5, 0.4])))
    assert math.isnan(efficiency.relative_effort(some, curve([0, 10], [NAN, NAN])))
