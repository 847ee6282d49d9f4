import math

import numpy as np
import pytest

from fastslow import types
from fastslow.metrics import matrix as matrices
from fastslow.report import overview, records
from tests.report import synthetic

NAN = float("nan")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return records.read(synthetic.write(tmp_path_factory.mktemp("run")))


def test_the_task_lines_hold_the_figures_of_the_matrix(rows):
    matrix, problem = overview.accuracy(rows)
    assert matrix is not None
    assert problem == ""
    lines = overview.task_lines(matrix, rows)
    tomi, sarcasm, event = lines
    assert tomi[:5] == ("tomi", 3, 0.0, 0.58, 0.58)
    assert math.isnan(tomi.forgetting)  # taught last: nothing came after it
    assert tomi.constant == 0.08
    assert sarcasm == (
        "sarcasm", 2, 0.02, 0.78, 0.75, pytest.approx(0.03), 0.52
    )  # fmt: skip
    assert event[:6] == (synthetic.TASKS[2], 1, 0.11, 0.70, 0.64, pytest.approx(0.06))
    assert math.isnan(event.constant)
    mean = overview.average(lines)
    figures = (0.13 / 3, 2.06 / 3, 1.97 / 3, 0.045, 0.3)
    assert mean == ("average", 6, *map(pytest.approx, figures))
    assert mean.final == pytest.approx(matrices.average_accuracy(matrix))


def test_kinds_and_constant_answers_are_those_recorded(rows):
    assert overview.kinds(rows) == dict(zip(synthetic.TASKS, synthetic.KINDS, strict=True))
    assert overview.constants(rows)["sarcasm"] == 0.52
    older = [row for row in rows if row["kind"] != "tasks"]  # of a run before they were recorded
    assert overview.kinds(older) == overview.constants(older) == {}
    matrix, _ = overview.accuracy(older)
    assert all(math.isnan(line.constant) for line in overview.task_lines(matrix, older))


def test_without_an_evaluation_the_reason_is_given():
    matrix, problem = overview.accuracy([])
    assert matrix is None
    assert problem == "no evaluation in the records"


def test_costs_are_added_up_by_channel(rows):
    spent = overview.costs(rows)
    assert list(spent) == ["fast", "slow", "evaluation"]
    assert spent["fast"] == types.Cost(
        200_000, 12_500, 0, 240, 30, 9_000, 1_200, 5.5e13, 70.0 + 0 + 1 + 2 + 4 + 5
    )
    assert spent["slow"] == types.Cost(
        90_000, 6_000, 96_000, 768, flops=pytest.approx(1.26e14), seconds=66.0
    )
    assert spent["evaluation"].prompt_tokens == 7 * 18_000 + 9_000
    assert spent["evaluation"].seconds == 7 * 9.0 + 21.0
    assert overview.seconds(rows) == 7 * 9 + 21 + 6 * 40 + (1 + 3 + 5 + 7 + 9 + 11)
    assert overview.slow_steps(rows) == 20


def test_choosing_prompts_again_is_a_cost_of_the_fast_channel(rows):
    chosen = types.Absorbed("prompts", "changed", "", cost=types.Cost(70, metric_calls=5))
    first = next(i for i, row in enumerate(rows) if row["kind"] == "lesson")
    told = [*rows]
    told[first] = {**rows[first], "reselected": records.plain(chosen)}
    before, after = overview.costs(rows), overview.costs(told)
    assert after["fast"] == before["fast"] + types.Cost(70, metric_calls=5)
    assert (after["slow"], after["evaluation"]) == (before["slow"], before["evaluation"])


def test_outcomes_are_counted_by_channel(rows):
    assert overview.outcomes(rows) == {
        "fast": {"changed": 3, "rejected": 1, "skipped": 1, "failed": 1},
        "slow": {"skipped": 3, "changed": 2, "rejected": 1},
    }


def test_drift_points_average_over_the_tasks_that_were_measured(rows):
    points = overview.drift_points(rows)
    whole = [scores for scores in synthetic.SCORES if not any(map(math.isnan, scores))]
    assert len(whole) == 5
    assert [point.score for point in points] == pytest.approx([np.mean(scores) for scores in whole])
    second = points[1]
    assert second.score == pytest.approx((0.55 + 0.05 + 0.12) / 3)
    assert second.drift["with_prompt", "trained_base"] == pytest.approx(0.032 + 0.001)
    assert second.drift["without_prompt", "base_trained"] == pytest.approx(0.013 * 8)
    assert overview.last_drift(rows)["sarcasm"]["with_prompt"]["base_trained"] == pytest.approx(0.1)


def test_quadrants_keep_unknown_cells_and_average_the_rest(rows):
    corners = overview.quadrants(rows)
    assert list(corners) == list(synthetic.TASKS)
    assert math.isnan(corners[synthetic.TASKS[2]]["base_evolved"])
    means = overview.corner_means(corners)
    expected = {  # the third task lacks a corner: its other corners must not shift the means
        "base_seed": np.mean([0, 0.02]),
        "base_evolved": np.mean([0.36, 0.52]),
        "trained_seed": np.mean([0.21, 0.44]),
        "trained_evolved": np.mean([0.58, 0.75]),
    }
    assert means == pytest.approx(expected)
    assert overview.quadrants([]) == {}


def test_steps_that_sampled_nothing_have_no_reward(rows):
    sampled = overview.step_rewards(rows)
    assert sampled
    lesson = records.of_kind(rows, "lesson")[0]
    supervised = {"channel": "slow", "details": {"steps": [{"loss": 1.0, "reward": None}]}}
    assert overview.step_rewards([{**lesson, "absorbed": [supervised]}]) == []
