"""From names and options to answers, and what a user who errs is told."""

import json
import shutil

import pytest

from fastslow import checkpoint, config, registry, run_directory
from fastslow.diagnostics import probing
from fastslow.lm import loading
from fastslow.report import records
from tests.experiments import cli


def ask(run, names, **options):
    return list(probing.probe(run, names, **options))


def test_mistakes_are_found_before_anything_is_loaded(run, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load", None)
    with pytest.raises(registry.UnknownNameError, match="did you mean 'ablation'"):
        ask(run, ["ablatoin"])
    with pytest.raises(registry.UnknownNameError, match=r"did you mean 'ablation\.examples'"):
        ask(run, ["ablation"], options={"ablation": {"example": 3}})
    with pytest.raises(config.ConfigError, match=r"ablation\.examples must be int, got 'few'"):
        ask(run, ["ablation"], options={"ablation": {"examples": "few"}})
    with pytest.raises(config.ConfigError, match="given for 'plasticity', which is not asked for"):
        ask(run, ["ablation"], options={"plasticity": {"steps": 3}})
    with pytest.raises(config.ConfigError, match=r"ablation\.examples must not be negative"):
        ask(run, ["ablation"], options={"ablation": {"examples": -2}})
    with pytest.raises(config.ConfigError, match=r"plasticity\.every must be positive"):
        ask(run, ["plasticity"], options={"plasticity": {"every": 0}})
    with pytest.raises(checkpoint.CheckpointError, match="after event 9; it keeps: 1, 2, 3, 4, 5"):
        ask(run, ["ablation"], event=9)
    with pytest.raises(run_directory.RunDirectoryError, match="not the configuration of a run"):
        ask(tmp_path, ["ablation"])


def test_what_does_not_apply_is_told_and_the_rest_is_measured(run, tmp_path):
    unfinished = tmp_path / "run"
    shutil.copytree(run, unfinished, ignore=shutil.ignore_patterns("diagnostics"))
    records.truncate_after(unfinished, 3)
    shutil.rmtree(unfinished / "checkpoints" / "5")
    shutil.rmtree(unfinished / "checkpoints" / "4")
    refused, found = ask(unfinished, ["misallocation", "representation"])
    assert "no quadrants after event 3" in refused.problem
    assert not (unfinished / "diagnostics" / "misallocation.json").exists()
    assert found.content["event"] == 3


def test_damaged_answer_is_measured_again(run):
    path = run / "diagnostics" / "misallocation.json"
    (first,) = ask(run, ["misallocation"])
    path.write_text(path.read_text()[:-20])
    (again,) = ask(run, ["misallocation"])
    assert not again.reused
    assert json.loads(path.read_text())["values"] == first.content["values"]


def test_program_shows_tables_and_where_they_are(run):
    arguments = (f"--workdir={run}", "--what=misallocation,ablation", "--force")
    status, output = cli.run("probe", *arguments, "--option=ablation.variants=('whole','lessons')")
    assert status == 0, output
    assert "What the weights learned that text could hold" in output
    assert "trained weights" in output
    assert "items behind each score: ants 6, bees 6, cats 6" in output
    assert f"Results: {run / 'diagnostics'}" in output.replace("\n", "")
    status, output = cli.run("probe", f"--workdir={run}", "--what=misallocation")
    assert status == 0, output
    assert "measured before, by commit" in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--option=ablation=3",), "--option=ablation=3 is not NAME.OPTION=VALUE"),
        (("--what=plasticity", "--probe_task=ants"), "task 'ants' is taught by"),
        (("--what=plasticity", "--probe_task=cast"), "did you mean 'cats'"),
    ],
)
def test_program_says_in_one_line_what_is_wrong(run, arguments, told):
    status, output = cli.run("probe", f"--workdir={run}", *arguments)
    assert status == 2
    assert told in output.replace("\n", " ")
    assert "Traceback" not in output
