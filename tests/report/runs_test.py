import json
import math
import re
import shutil
import subprocess
import sys

import pytest

import fastslow.report
from fastslow import run_directory
from fastslow.report import records, runs, wording
from tests.report import synthetic as one_run
from tests.report.comparison import synthetic


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    synthetic.write(folder / "a-0", "interleave", seed=0, noise=0)
    synthetic.write(folder / "a-1", "interleave", seed=1, order_seed=1, done=False, events=5)
    synthetic.write(folder / "b-0", "slow_only", seed=0, unmeasured=[(3, "food")])
    return folder


@pytest.fixture(scope="module")
def table(directory):
    return fastslow.report.load_runs(str(directory / "*"))


def test_there_is_a_row_per_run_event_and_task(table, directory):
    keys = [(row["run"], row["event"], row["task"]) for row in table]
    assert len(set(keys)) == len(keys) == 3 * (4 + 2 + 4)
    assert {row["run"] for row in table} == {
        str(directory / name) for name in ("a-0", "a-1", "b-0")
    }


def test_the_columns_are_the_documented_ones_with_unit_and_direction(table):
    lines = re.findall(r"^ *\| (\w+) \| (.*?)\| (.*?)\| (.*?) \|$", runs.load_runs.__doc__, re.M)
    (_, *documented) = lines  # the header first
    for row in table:
        assert list(row) == [name for name, *_ in documented]
    units = {name: unit.strip() for name, unit, *_ in documented}
    assert units["tokens"] == "tokens"
    assert {unit for name, unit in units.items() if name.startswith("drift_")} == {"nats/token"}
    assert {better.strip() for _, _, better, _ in documented} == {"", "higher", "lower"}


def test_values_are_plain_so_that_pandas_takes_them(table):
    assert all(type(v) in (str, int, float, bool) for row in table for v in row.values())
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table)
    assert frame.groupby("scheduler").size().to_dict() == {"interleave": 18, "slow_only": 12}
    assert frame["score"].dtype == "float64"


def test_a_row_says_what_was_measured_and_what_it_had_cost(table):
    """Interleave: 2 lessons of 160 calls and 6 steps each, worked out from synthetic.Habits."""
    (row,) = [
        row
        for row in table
        if row["run"].endswith("a-0") and row["event"] == 3 and row["task"] == "sentiment"
    ]
    first = 0.02 + (0.9 - 0.02) * 0.65
    assert row["score"] == pytest.approx(first + (0.9 - first) * 0.65)
    assert (row["scheduler"], row["fast"], row["slow"], row["stream"]) == (
        "interleave",
        "gepa",
        "lora",
        "evals_short",
    )
    assert (row["seed"], row["order_seed"], row["done"], row["count"]) == (0, 0, True, 96)
    assert (row["lessons"], row["task_lessons"]) == (2, 2)
    assert row["slow_steps"] == 12
    assert row["tokens"] == 2 * (8_400 + 4_300 + 5_000)
    assert row["flops"] == pytest.approx(2 * (2.2e12 + 5e12))
    assert 2 * 70 < row["seconds"] < 2 * 80
    assert row["drift_trained_base_with_prompt"] == pytest.approx(0.02 * 12)
    assert row["drift_base_trained_with_prompt"] == pytest.approx(0.03 * 12)
    assert row["drift_trained_base_without_prompt"] == pytest.approx(0.01 * 12)
    assert row["drift_base_trained_without_prompt"] == pytest.approx(0.011 * 12)


def test_an_unfinished_run_is_marked_and_a_missing_score_is_nan(table):
    done = {row["run"][-3:]: row["done"] for row in table}
    assert done == {"a-0": True, "a-1": False, "b-0": True}
    missing = [(r["run"][-3:], r["event"], r["task"]) for r in table if math.isnan(r["score"])]
    assert missing == [("b-0", 3, "food")]


def test_the_hash_is_that_of_the_configuration_without_its_seeds(table):
    hashes = {row["run"][-3:]: row["config_hash"] for row in table}
    assert hashes["a-0"] == hashes["a-1"] != hashes["b-0"]


def test_a_torn_last_row_is_left_out(tmp_path):
    path = records.path_of(synthetic.write(tmp_path / "run", events=4, done=False))
    whole = fastslow.report.load_runs(str(tmp_path / "*"))
    with open(path, "ab") as file:
        file.write(b'{"schema":1,"kind":"evalu')
    assert fastslow.report.load_runs(str(tmp_path / "*")) == whole
    path.write_bytes(b"{\n" + path.read_bytes())
    with pytest.raises(records.RecordsError, match=r"records\.jsonl, line 1: not a row"):
        fastslow.report.load_runs(str(tmp_path / "*"))


def test_a_pattern_without_a_run_is_an_error_that_says_what_there_was(tmp_path):
    with pytest.raises(runs.RunsError, match=r"no directory matches '.*/nothing\*'"):
        fastslow.report.load_runs(str(tmp_path / "nothing*"))
    synthetic.write(tmp_path / "all" / "run", events=1, done=False)
    with pytest.raises(runs.RunsError, match=r"all holds runs .*did you mean '.*all/\*'"):
        fastslow.report.load_runs(str(tmp_path / "all"))
    shutil.rmtree(tmp_path / "all")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(runs.RunsError, match=r"no run directory matches .*pictures without config"):
        fastslow.report.load_runs(str(tmp_path / "*"))


def test_a_directory_without_a_run_among_runs_is_passed_over_aloud(tmp_path):
    synthetic.write(tmp_path / "run", events=1, done=False)
    (tmp_path / "pictures").mkdir()
    with pytest.warns(UserWarning, match=r"left out: .*pictures holds no run"):
        assert len(fastslow.report.load_runs(str(tmp_path / "*"))) == 3


def test_a_run_without_an_evaluation_is_left_out_aloud(tmp_path):
    synthetic.write(tmp_path / "begun", events=0, done=False)
    with pytest.warns(UserWarning, match=r"left out: .*begun has no evaluation yet"):
        assert fastslow.report.load_runs(str(tmp_path / "*")) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("config.json", '"schema": 1', '"schema": 7', r"config\.json is of schema version 7; .* 1"),
        ("records.jsonl", '"schema":1', '"schema":9', r"records\.jsonl, line 1: schema 9"),
        ("records.jsonl", '"schema":1', '"schema":0', r"records\.jsonl is of schema version 0"),
        ("config.json", "{", "", r"config\.json is not the configuration of a run"),
        ("config.json", '"seed": 0', '"seed": "x"', r"'config\.seed' is not a number"),
    ],
)
def test_what_this_program_cannot_read_is_named(tmp_path, name, old, new, message):
    path = synthetic.write(tmp_path / "run", events=1, done=False) / name
    text = path.read_text().replace('"schema": 1, ', '"schema":1, ')
    assert old in text
    path.write_text(text.replace(old, new, 1))
    problems = (run_directory.RunDirectoryError, runs.RunsError, records.RecordsError)
    with pytest.raises(problems, match=message):
        fastslow.report.load_runs(str(tmp_path / "run"))


def test_the_run_of_the_single_reports_can_be_loaded_too(tmp_path):
    one_run.write(tmp_path / "run")
    table = fastslow.report.load_runs(str(tmp_path / "run"))
    assert len(table) == sum(score == score for row in one_run.SCORES for score in row)


def test_a_value_is_found_by_its_dotted_key():
    config = synthetic.config()["config"]
    assert runs.value_of(config, "scheduler") == "interleave"
    assert runs.value_of(config, "slow.learning_rate") == 5e-4
    assert runs.value_of(config, "slow.targets") == '["q", "v"]'
    assert runs.value_of(config, "fast.proposers") == "{}"
    assert runs.value_of(config, "slow.learning_rate.more") == wording.MISSING
    json.dumps(config)


def test_importing_the_report_package_loads_nothing_heavy():
    code = (
        "import sys, fastslow.report; fastslow.report.load_runs; "
        "print({'jax', 'matplotlib', 'dspy', 'flax', 'rich'} & set(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "set()"
