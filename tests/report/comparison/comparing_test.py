import json
import math
import shutil

import numpy as np
import pytest

from fastslow import registry, types
from fastslow.metrics import matrix as matrices
from fastslow.metrics import statistics, summary
from fastslow.report import records, runs
from fastslow.report.comparison import comparing, measures, points
from tests.report.comparison import synthetic


def _of(comparison, label):
    return next(method for method in comparison.methods if method.label == label)


def _labels(comparison):
    return {method.label: len(method.runs) for method in comparison.methods}


def _compare(folder, **options):
    return comparing.compare([str(folder / "*")], **options)


def test_estimates_are_those_of_the_metrics_of_every_run(directory):
    comparison = _compare(directory)
    for label in ("interleave", "slow_only"):
        wanted = [
            summary.summarise(matrices.from_records(records.read(directory / f"{label}-{seed}")))
            for seed in range(3)
        ]
        for name in ("average_accuracy", "forgetting", "backward_transfer", "learning_accuracy"):
            values = [one[name] for one in wanted]
            found = comparing.values(_of(comparison, label), measures.MEASURES[name].of)
            assert list(found.values()) == values
            estimate = comparison.estimate(found)
            assert estimate.mean == pytest.approx(sum(values) / 3)
            half = 4.30265 * np.std(values, ddof=1) / math.sqrt(3)
            assert estimate.high - estimate.mean == pytest.approx(half, rel=1e-5)


def test_differences_are_paired_by_seed(directory):
    comparison = _compare(directory, baseline="slow_only")
    of = measures.MEASURES["average_accuracy"].of
    found = comparing.difference(comparison, _of(comparison, "interleave"), of)
    accuracies = {
        label: [
            matrices.from_records(records.read(directory / f"{label}-{seed}")).scores[-1].mean()
            for seed in range(3)
        ]
        for label in ("interleave", "slow_only")
    }
    paired = np.subtract(accuracies["interleave"], accuracies["slow_only"])
    assert found == pytest.approx(statistics.estimate(paired, statistics.t_interval))
    assert comparison.methods[0].label == "slow_only"  # the baseline comes first


def test_a_run_without_a_partner_is_no_pair_and_is_named(directory, tmp_path):
    synthetic.write(tmp_path / "more", "interleave", seed=7)
    comparison = comparing.compare(
        [str(directory / "*"), str(tmp_path / "*")], baseline="slow_only"
    )
    of = measures.MEASURES["forgetting"].of
    assert comparing.difference(comparison, _of(comparison, "interleave"), of).size == 3
    assert "Without a baseline run of the same seeds: more (interleave)." in comparison.notes


def test_the_drift_and_the_costs_of_a_run(tmp_path):
    """36 steps at 0.02 nats; six lessons of 8400 + 4300 + 5000 tokens; two demos changed it."""
    synthetic.write(tmp_path / "run", noise=0)
    (method,) = _compare(tmp_path).methods
    found = {name: measure.of(method.runs[0]) for name, measure in measures.MEASURES.items()}
    assert found["drift_trained_base_with_prompt"] == pytest.approx(0.72)
    assert found["drift_base_trained_without_prompt"] == pytest.approx(0.396)
    assert found["slow_steps"] == 36
    assert found["tokens"] == 6 * 17_700
    assert found["flops"] == pytest.approx(6 * 7.2e12)
    texts = [p.read_text() for p in sorted((tmp_path / "run" / "prompts" / "9").glob("*/0.md"))]
    assert len(texts) == 3
    assert found["prompt_characters"] == pytest.approx(sum(map(len, texts)) / 3)


def test_unfinished_runs_are_listed_and_left_out_unless_they_hold_the_end(tmp_path):
    synthetic.write(tmp_path / "whole", seed=0)
    synthetic.write(tmp_path / "cut", seed=1, done=False, events=7)
    synthetic.write(tmp_path / "only-quadrants-missing", seed=2, done=False)
    synthetic.write(tmp_path / "begun", seed=3, done=False, events=0)
    comparison = _compare(tmp_path)
    assert _labels(comparison) == {"interleave": 2}
    assert {one.run.directory.name: one.left_out for one in comparison.listed} == {
        "whole": "",
        "cut": "unfinished",
        "only-quadrants-missing": "",
        "begun": "no evaluation yet",
    }
    assert "Left out of the means: cut (interleave): unfinished." in comparison.notes
    assert "Left out of the means: begun (interleave): no evaluation yet." in comparison.notes


def test_a_record_torn_by_a_crash_is_passed_over_aloud(tmp_path):
    path = records.path_of(synthetic.write(tmp_path / "a", done=False, events=7))
    torn = path.read_bytes()[:-9]
    path.write_bytes(torn)
    synthetic.write(tmp_path / "b", seed=1)
    (told,) = (note for note in _compare(tmp_path).notes if "tore" in note)
    assert told.endswith("a resumed run mends it: a.")
    assert path.read_bytes() == torn


def test_without_a_complete_run_there_are_no_means_and_a_way_out(tmp_path):
    synthetic.write(tmp_path / "a", seed=0, done=False, events=7)
    comparison = _compare(tmp_path)
    assert _labels(comparison) == {"interleave": 0}
    assert "--at_equal compares unfinished runs" in comparison.notes[-1]
    assert _labels(_compare(tmp_path, at_equal="tokens")) == {"interleave": 1}


def test_at_equal_tokens_every_run_is_cut_at_its_last_evaluation_within(directory):
    """Six lessons: interleave 17.7 k each, slow_only 9.3 k, fast_only 8.4 k = 50.4 k in all."""
    comparison = _compare(directory, at_equal="tokens")
    assert comparison.point == points.Point("tokens", 50_400)
    assert str(comparison.point) == "at 50.4 k tokens"
    events = {
        method.label: {run.rows[-1]["event"] for run in method.runs}
        for method in comparison.methods
    }
    # 35.4 k after two lessons of interleave, 37.2 k after four of slow_only
    assert events == {"interleave": {3}, "slow_only": {6}, "fast_only": {None}}
    used = [measures.MEASURES["tokens"].of(method.runs[0]) for method in comparison.methods]
    assert sorted(used) == [35_400, 37_200, 50_400]


def test_a_method_that_takes_no_slow_steps_is_within_any_number_of_them(directory):
    comparison = _compare(directory, at_equal="slow_steps")
    assert comparison.point.level == 36
    assert _labels(comparison) == {"fast_only": 3, "interleave": 3, "slow_only": 3}
    note = "Spends no slow steps, so it is shown at its own end: fast_only."
    assert note in comparison.notes


def test_an_unfinished_run_counts_at_equal_cost_if_it_got_there(tmp_path):
    synthetic.write(tmp_path / "whole", "fast_only", seed=0)
    synthetic.write(tmp_path / "far", "interleave", seed=0, done=False, events=8)  # 70.8 k tokens
    synthetic.write(tmp_path / "short", "interleave", seed=1, done=False, events=5)  # 35.4 k
    comparison = _compare(tmp_path, at_equal="tokens")
    left_out = {one.run.directory.name: one.left_out for one in comparison.listed}
    assert left_out == {
        "whole": "",
        "far": "",
        "short": "unfinished, short of 50.4 k tokens",
    }
    (far,) = _of(comparison, "interleave").runs
    assert far.rows[-1]["event"] == 3


def test_a_run_that_was_not_evaluated_within_the_cost_is_told_to_be_untouched(tmp_path):
    """One evaluation after 35.4 k tokens of interleave; the other spent 600 in its six lessons."""
    cheap = synthetic.Habits(0, 0.1, 0, 0, 0, types.Cost(100))
    synthetic.write(tmp_path / "dear", "interleave")
    synthetic.write(tmp_path / "cheap", "slow_only", habits=cheap)
    comparison = _compare(tmp_path, at_equal="tokens")
    assert comparison.point.level == 600
    told = [note for note in comparison.notes if "untouched model" in note]
    assert told == [
        "Not evaluated after a lesson within that, so shown as the untouched model: dear."
    ]
    assert not any("Spends no tokens" in note for note in comparison.notes)


def test_runs_that_spend_nothing_cannot_be_aligned(tmp_path):
    synthetic.write(tmp_path / "a", "fast_only")
    with pytest.raises(runs.RunsError, match="no run spent any slow steps"):
        _compare(tmp_path, at_equal="slow_steps")


def test_the_effort_to_the_baselines_best(tmp_path):
    """Without noise interleave passes slow_only's best of 36 steps at its second evaluation."""
    for seed in range(2):
        synthetic.write(tmp_path / f"i{seed}", "interleave", seed, noise=0)
        synthetic.write(tmp_path / f"s{seed}", "slow_only", seed, noise=0)
    comparison = _compare(tmp_path, baseline="slow_only")
    matrix = matrices.from_records(records.read(tmp_path / "i0")).scores.mean(axis=1)
    best = matrices.from_records(records.read(tmp_path / "s0")).scores.mean(axis=1).max()
    assert matrix[1] < best <= matrix[2]
    found = comparing.effort_to_baseline(comparison, _of(comparison, "interleave"), "slow_steps")
    assert found == (2, 2, 24, pytest.approx(24 / 36))
    own = comparing.effort_to_baseline(comparison, _of(comparison, "slow_only"), "slow_steps")
    assert own == (2, 2, 36, 1)
    back = _compare(tmp_path, baseline="interleave")
    never = comparing.effort_to_baseline(back, _of(back, "slow_only"), "tokens")
    assert never == (2, 0, math.inf, math.inf)


def test_one_run_has_no_interval_and_that_is_said(tmp_path):
    synthetic.write(tmp_path / "a")
    comparison = _compare(tmp_path)
    assert "One run only, so no error and no interval: interleave." in comparison.notes


def test_the_interval_is_named_and_a_narrow_one_warned_of(directory):
    t = _compare(directory).notes
    assert any("95%, Student's t, over seeds, each on its own" in note for note in t)
    notes = _compare(directory, interval="bootstrap").notes
    assert any("percentile bootstrap with 10,000 resamples" in note for note in notes)
    assert any("too narrow" in note for note in notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["forgeting"]}, "unknown metric 'forgeting'; did you mean 'forgetting'"),
        ({"baseline": "slow"}, "unknown method 'slow'; did you mean 'slow_only'"),
        ({"at_equal": "token"}, "unknown cost 'token'; did you mean 'tokens'"),
        ({"interval": "z"}, r"unknown interval 'z'.*bootstrap, t"),
        ({"by": ["sheduler"]}, "unknown configuration key 'sheduler'; did you mean 'scheduler'"),
    ],
)
def test_a_mistaken_name_suggests_the_nearest(directory, options, message):
    with pytest.raises(registry.UnknownNameError, match=message):
        _compare(directory, **options)


def test_other_code_and_packages_are_told_and_do_not_stop_a_comparison(tmp_path):
    first, second = (synthetic.write(tmp_path / name, seed=n) for n, name in enumerate("ab"))
    path = second / "config.json"
    path.write_text(path.read_text().replace("0123456789abcdef", "fedcba9876543210+"))
    assert first.exists()
    note = "Runs were made with different git: 01234567; fedcba98+."
    assert note in _compare(tmp_path).notes


def test_different_devices_are_told_of_runs_that_say_them(tmp_path):
    def write(name, seed, devices):
        path = synthetic.write(tmp_path / name, seed=seed) / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **devices}))

    write("a", 0, {})  # from before devices were noted
    write("b", 1, {"devices": "cpu"})
    assert not any("devices" in note for note in _compare(tmp_path).notes)
    write("c", 2, {"devices": "gpu (NVIDIA H200)"})
    note = "Runs were made with different devices: cpu; gpu (NVIDIA H200)."
    assert note in _compare(tmp_path).notes


def test_a_missing_score_leaves_the_metric_undefined_and_the_count_says_so(tmp_path):
    synthetic.write(tmp_path / "a", seed=0, unmeasured=[(9, task) for task in synthetic.TASKS])
    synthetic.write(tmp_path / "b", seed=1)
    comparison = _compare(tmp_path)
    of = measures.MEASURES["average_accuracy"].of
    found = comparing.values(comparison.methods[0], of)
    assert math.isnan(found[0, 0])
    assert comparison.estimate(found).size == 1


def test_tasks_that_the_last_evaluation_lacks_are_named(tmp_path):
    synthetic.write(tmp_path / "a", seed=0, unmeasured=[(9, synthetic.TASKS[1])])
    synthetic.write(tmp_path / "b", seed=1)
    assert (
        f"Not part of the last evaluation, so in no average at the end: {synthetic.TASKS[1]} (a)."
        in (_compare(tmp_path).notes)
    )


def test_orders_of_a_seed_are_averaged_before_means_and_that_is_said(tmp_path):
    for seed, order in ((0, 0), (0, 1), (1, 0)):
        synthetic.write(tmp_path / f"{seed}{order}", seed=seed, order_seed=order)
    comparison = _compare(tmp_path)
    assert any("over seeds, each the mean of its orders" in note for note in comparison.notes)
    assert comparison.estimate({(0, 0): 0.1, (0, 1): 0.3, (1, 0): 0.4}).mean == pytest.approx(0.3)


def test_orders_of_one_seed_alone_are_said_to_tell_nothing_of_another(tmp_path):
    for order in (0, 1):
        synthetic.write(tmp_path / str(order), order_seed=order)
    assert any("over the orders of one seed (which" in note for note in _compare(tmp_path).notes)


def test_at_equal_cost_it_is_said_how_far_methods_are_and_what_they_were_not_taught(tmp_path):
    synthetic.write(tmp_path / "a", "slow_only")
    synthetic.write(tmp_path / "b", "slow_only", seed=1)
    synthetic.write(tmp_path / "c", "interleave")
    assert not any("taught by then" in note for note in _compare(tmp_path).notes)
    comparison = _compare(tmp_path, at_equal="tokens")
    (standing,) = [note for note in comparison.notes if note.startswith("Lessons taught by then")]
    counts = {method.label: len(runs.taught(method.runs[0])) for method in comparison.methods}
    assert standing == (
        "Lessons taught by then: "
        + ", ".join(f"{label} {count} of 6" for label, count in counts.items())
        + "."
    )
    assert min(counts.values()) < 6
    behind = min(counts, key=counts.__getitem__)
    (beyond,) = [note for note in comparison.notes if note.startswith("Not taught by then")]
    assert f"({behind})" in beyond


def test_two_order_seeds_that_draw_one_order_are_one_run(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        synthetic.write(tmp_path / name, seed=seed)
    alone = _compare(tmp_path)
    again = json.loads((tmp_path / "a" / "config.json").read_text())
    again["config"]["order_seed"] = 1
    shutil.copytree(tmp_path / "a", tmp_path / "again")
    (tmp_path / "again" / "config.json").write_text(json.dumps(again))
    both = _compare(tmp_path)
    assert [run.directory.name for run in _of(both, "interleave").runs] == ["a", "b"]
    assert any("again (interleave): the same run as a" in note for note in both.notes)
    values = [comparing.values(_of(c, "interleave"), summary_of) for c in (alone, both)]
    assert values[0] == values[1]


def summary_of(run):
    return summary.summarise(matrices.from_records(run.rows))["average_accuracy"]


def test_a_reflection_model_whose_work_no_cost_holds_is_told(tmp_path):
    directory = synthetic.write(tmp_path / "a")
    assert not any("reflection" in note for note in _compare(tmp_path).notes)
    path = records.path_of(directory)
    for field, value in (("calls", 3), ("prompt_tokens", 1000), ("completion_tokens", 20)):
        name = f'"reflection_{field}": '
        path.write_text(path.read_text().replace(f"{name}0", f"{name}{value}"))
    (note,) = [note for note in _compare(tmp_path).notes if "reflection" in note]
    # of both channels and of choosing prompts again, in six lessons
    told = "interleave 54 times (18 k tokens read, 360 written)"
    assert note.endswith(f"a reflection model was asked besides: {told}.")
