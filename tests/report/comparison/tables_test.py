import numpy as np
import pytest

from fastslow.evaluation import constant
from fastslow.report import records
from fastslow.report.comparison import comparing, measures, tables
from tests.report.comparison import synthetic


@pytest.mark.parametrize("interval", ["t", "bootstrap"])
def test_the_summary_reads_as_the_estimates(directory, interval):
    comparison = comparing.compare([str(directory / "*")], interval=interval)
    shown = tables.summary(comparison)
    of = measures.MEASURES["forgetting"].of
    found = comparison.estimate(comparing.values(comparison.methods[1], of))
    cell = shown.rows[1][shown.header.index("Forgetting ↓")]
    assert cell.startswith(f"+{found.mean:.3f}")
    if interval == "t":
        assert cell.endswith(f"± {found.high - found.mean:.3f}")
    else:
        assert cell.endswith(f"[+{found.low:.3f}, +{found.high:.3f}]")


@pytest.mark.parametrize(
    ("values", "measure", "reads"),
    [
        ([0.1, 0.2, 0.15], "average_accuracy", "better"),
        ([0.1, 0.2, 0.15], "forgetting", "worse"),
        ([-0.1, -0.2, -0.15], "forgetting", "better"),
        ([-0.1, 0.2, 0.15], "average_accuracy", "undecided"),
        ([0.0, 0.0, 0.0], "average_accuracy", "equal"),
        ([0.015625, 0.015625], "average_accuracy", "undecided"),  # one of 64 answers, twice
        ([-12.0, -12.0], "slow_steps", "better"),
        ([0.1], "average_accuracy", "–"),
    ],
)
def test_a_difference_reads_by_its_interval_and_the_direction(comparison, values, measure, reads):
    found = comparison.estimate({(seed, 0): value for seed, value in enumerate(values)})
    assert tables.verdict(found, measures.MEASURES[measure]) == reads


def test_chosen_metrics_are_the_only_ones(directory):
    comparison = comparing.compare([str(directory / "*")], metrics=["forgetting", "tokens"])
    assert {row["measure"] for row in tables.flat(comparison)} == {"forgetting", "tokens"}
    assert tables.summary(comparison).header == ("Method", "Runs", "Forgetting ↓")


def test_the_best_constant_answers_stand_below_the_scores(tmp_path):
    synthetic.write(tmp_path / "a")
    told = {"sentiment": constant.Constant("positive", 0.51), "food": constant.Constant("", np.nan)}
    records.append(tmp_path / "a", records.tasks_row(dict.fromkeys(told, ""), told), 0.0)
    comparison = comparing.compare([str(tmp_path / "*")])
    assert tables.by_task(comparison).footer == ("best constant answer", "0.510", "–", "–")
