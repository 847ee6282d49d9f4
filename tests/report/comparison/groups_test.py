import pytest

from fastslow import registry
from fastslow.report import runs
from fastslow.report.comparison import groups
from tests.report.comparison import synthetic


def _run(tmp_path, name="run", **changes):
    return runs.read(synthetic.write(tmp_path / name, events=1, done=False, **changes))


def _grouped(found, *keys):
    methods = groups.by_keys(found, keys)
    groups.check(methods, keys)
    return methods


def test_runs_are_grouped_by_plugin_names_and_values(tmp_path):
    found = [
        _run(tmp_path, f"{s}{seed}{rate}", scheduler=s, seed=seed, slow__learning_rate=rate)
        for s, seed, rate in (
            ("slow_only", 1, 0.1),
            ("slow_only", 0, 0.1),
            ("interleave", 0, 1e-5),
            ("slow_only", 0, 2e-4),
        )
    ]
    methods = _grouped(found, "scheduler", "slow.learning_rate")
    assert {method.label: [run.seeds for run in method.runs] for method in methods} == {
        "interleave, learning_rate=1e-05": [(0, 0)],
        "slow_only, learning_rate=0.0002": [(0, 0)],
        "slow_only, learning_rate=0.1": [(0, 0), (1, 0)],
    }


def test_numbers_are_sorted_by_size(tmp_path):
    found = [_run(tmp_path, f"{r}", slow__learning_rate=r) for r in (0.1, 1e-5, 0.02)]
    labels = [method.label for method in _grouped(found, "slow.learning_rate")]
    assert labels == ["learning_rate=1e-05", "learning_rate=0.02", "learning_rate=0.1"]


def test_an_option_that_only_some_have_is_a_dash_in_the_others(tmp_path):
    found = [
        _run(tmp_path, "a", scheduler="interleave"),
        _run(tmp_path, "b", scheduler="fast_then_slow", scheduler__patience=2),
    ]
    labels = [method.label for method in _grouped(found, "scheduler", "scheduler.patience")]
    assert labels == ["fast_then_slow, patience=2", "interleave, patience=–"]


def test_an_unknown_key_suggests_the_nearest(tmp_path):
    with pytest.raises(registry.UnknownNameError, match=r"did you mean 'slow\.learning_rate'"):
        groups.by_keys([_run(tmp_path)], ["slow.learning_rat"])


def test_methods_need_a_key_to_be_told_apart_by(tmp_path):
    with pytest.raises(runs.RunsError, match="no configuration key"):
        groups.by_keys([_run(tmp_path)], [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stream__test": 64}, r"stream\.test: 96 in a, b; 64 in c"),
        ({"stream__tasks": ["food"]}, r"stream\.tasks: \[.*\] in a, b; \[\"food\"\] in c"),
        ({"model__name": "other"}, r"model\.name: smollm2-135m-instruct in a, b; other in c"),
        ({"evaluation__samples": 4}, r"evaluation\.samples: 1 in a, b; 4 in c"),
        ({"stream__extra": 1}, r"stream\.extra: not known in a, b; 1 in c"),
    ],
)
def test_runs_on_other_ground_are_refused_with_keys_and_values(tmp_path, changes, message):
    found = [
        _run(tmp_path, "a"),
        _run(tmp_path, "b", scheduler="slow_only"),
        _run(tmp_path, "c", scheduler="fast_only", **changes),
    ]
    with pytest.raises(runs.RunsError, match=rf"(?s)these runs cannot be compared.*{message}"):
        _grouped(found, "scheduler")


def test_refused_runs_of_the_same_name_are_told_apart_by_their_paths(tmp_path):
    found = [_run(tmp_path / "x"), _run(tmp_path / "y", model__name="other")]
    with pytest.raises(runs.RunsError, match=r"instruct in .*x/run; other in .*y/run"):
        _grouped(found, "scheduler")


def test_the_ground_may_differ_where_it_is_what_is_compared(tmp_path):
    found = [_run(tmp_path, "a"), _run(tmp_path, "b", model__name="other")]
    assert [method.label for method in _grouped(found, "model")] == [
        "other",
        "smollm2-135m-instruct",
    ]


def test_other_numbers_of_test_answers_are_refused_even_if_the_configuration_agrees(tmp_path):
    found = [_run(tmp_path, "a"), _run(tmp_path, "b", scheduler="slow_only")]
    found[1].rows[0]["counts"]["food"] = 12
    with pytest.raises(runs.RunsError, match=r"test answers of food: 96 in a; 12 in b"):
        _grouped(found, "scheduler")


def test_runs_of_a_method_that_differ_in_more_than_seeds_are_refused(tmp_path):
    found = [_run(tmp_path, "a"), _run(tmp_path, "b", seed=1, slow__learning_rate=0.1)]
    message = r"'interleave' differ in more .*--by.*\n.*slow\.learning_rate: 0\.0005 in a; 0\.1"
    with pytest.raises(runs.RunsError, match=message):
        _grouped(found, "scheduler")


def test_options_of_a_plugin_named_by_its_path_are_told_apart(tmp_path):
    found = [
        _run(tmp_path, f"{tries}", seed=tries, fast__proposers={"my.module:proposer": {"n": tries}})
        for tries in (1, 2)
    ]
    with pytest.raises(runs.RunsError, match=r"my\.module:proposer\.n: 1 in 1; 2 in 2"):
        _grouped(found, "scheduler")


def test_the_same_seeds_twice_are_refused(tmp_path):
    found = [_run(tmp_path, "a", seed=3), _run(tmp_path, "b", seed=3)]
    with pytest.raises(runs.RunsError, match=r"a and .*b are both 'interleave' with seed 3"):
        _grouped(found, "scheduler")


def test_other_weights_or_data_under_the_same_seeds_are_refused(tmp_path):
    found = [_run(tmp_path, "a"), _run(tmp_path, "b", scheduler="slow_only")]
    _grouped(found, "scheduler")
    changed = found[1]._replace(about={**found[1].about, "stream_digest": "ff"})
    message = r"seed 0, order seed 0 .*\n.*stream_digest: 00.* ff in b"
    with pytest.raises(runs.RunsError, match=message):
        _grouped([found[0], changed], "scheduler")


def test_what_else_differs_between_methods_is_told(tmp_path):
    found = [
        _run(tmp_path, "a"),
        _run(tmp_path, "b", scheduler="slow_only", slow__learning_rate=0.1),
    ]
    methods = _grouped(found, "scheduler")
    told = groups.other_differences(methods, ["scheduler"])
    assert told == ["slow.learning_rate: 0.0005 (interleave), 0.1 (slow_only)"]


def test_a_run_without_any_evaluation_does_not_stand_in_the_way(tmp_path):
    begun = runs.read(synthetic.write(tmp_path / "b", "slow_only", events=0, done=False))
    assert len(_grouped([_run(tmp_path, "a"), begun], "scheduler")) == 2
