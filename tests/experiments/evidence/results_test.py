"""Kept results follow from kept records; every claim can be judged, every grid can be run."""

import json
import math
import shutil

import pytest

from experiments.evidence import claims, effects, grids, results
from experiments.evidence.configs import mixed_matched
from fastslow import files, run_directory
from fastslow.report import records, runs
from tests.experiments import cli
from tests.report import synthetic

KEPT = sorted(path.stem for path in results.ROOT.glob("*.json"))


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_result_follows_from_its_records(name):
    kept = json.loads((results.ROOT / f"{name}.json").read_text("utf-8"))
    again = results.judge(name, results.find(claims.CLAIMS[name].grids, results.ROOT))
    assert {key: kept[key] for key in again} == again
    assert kept["command"].startswith(f"python -m experiments.evidence --claim={name}")
    assert kept["versions"]
    assert kept["date"]


def test_the_kept_table_follows_from_the_kept_results():
    assert (results.ROOT / "README.md").read_text("utf-8") == results.table(results.ROOT)


def test_kept_runs_hold_no_path_and_no_bulk():
    for grid in grids.GRIDS:
        for path in (results.ROOT / grid).rglob("*"):
            if path.is_file():
                assert path.stat().st_size < 300_000
                text = path.read_text("utf-8")
                assert "/tmp/" not in text
                assert "/root" not in text
                assert '"proposals"' not in text


def test_every_claim_names_grids_that_exist_and_methods_that_they_run():
    for name, claim in claims.CLAIMS.items():
        assert set(claim.grids) <= set(grids.GRIDS), name
        methods = {f"{g}/{s}" for g in claim.grids for s in grids.GRIDS[g].schedulers}
        found = {method: {} for method in methods}
        for part in claim.parts:
            assert part.effect(found) == {}, part.what  # a KeyError would name another method


@pytest.mark.parametrize(
    ("name", "full"), [*((name, False) for name in grids.GRIDS), ("mixed", True)]
)
def test_every_grid_can_be_planned(name, full, tmp_path):
    flags = grids.GRIDS[name].flags("0:2", full=full)
    status, output = cli.run("sweep", *flags, f"--out={tmp_path}", "--dry_run")
    assert status == 0, output
    grid = grids.GRIDS[name]
    assert f"{2 * len(grid.schedulers + grid.more * full)} cells" in output


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("stream", ["mixed", "recurring"])
def test_a_matched_grid_differs_in_its_budgets_alone(stream, full):
    whole, matched = (
        grids.GRIDS[name].configuration(full=full) for name in (stream, f"{stream}_matched")
    )
    for name in ("fast_budget", "slow_steps"):
        budget = whole["scheduler"].pop(name)
        assert matched["scheduler"].pop(name) == round(mixed_matched.SHARE * budget)
    assert whole == matched


def test_a_grid_holds_its_cells_and_no_others():
    grid = grids.GRIDS["mixed"]
    own = grid.configuration(full=False)
    assert grid.holds({**own, "seed": 7, "order_seed": 3}, full=False)
    assert not grid.holds(own, full=True)
    drawn = {**own["scheduler"], "name": "random", "fast_share": 0.5}
    assert grid.holds({**own, "scheduler": drawn}, full=False)
    assert not grid.holds({**own, "scheduler": {**drawn, "slow_steps": 99}}, full=False)
    assert not grid.holds({**own, "stream": {**own["stream"], "test": 99}}, full=False)


def finished(directory, **changes):
    about = {**synthetic.CONFIG, "config": {**synthetic.CONFIG["config"], **changes}}
    files.write_json_atomic(synthetic.write(directory) / "config.json", about)
    return runs.read(directory)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 4, "slow": {"name": "full"}},  # another configuration
        {"scheduler": {"name": "fast_then_slow", "patience": 9}},  # a second run of the same cell
        {"seed": 4, "scheduler": {"name": "fast_then_slow", "patience": 9}},  # another policy
    ],
)
def test_runs_of_different_configurations_are_not_judged_together(tmp_path, changes):
    finished(tmp_path / "mixed" / "one")
    other = finished(tmp_path / "mixed" / "two", **changes)
    with pytest.raises(results.ResultsError, match="different configurations"):
        results.find(["mixed"], tmp_path)
    found = results.find(["mixed"], tmp_path, lambda run: run.config == other.config)
    assert found == {"mixed/fast_then_slow": {other.seeds: other}}


def test_new_runs_replace_those_kept_of_another_configuration(tmp_path):
    changes = {"old": {"slow": {"name": "full"}}, "same": {"seed": 4}}
    for name, changed in changes.items():
        results.keep(finished(tmp_path / name, **changed), "mixed", tmp_path / "kept")
    new = finished(tmp_path / "new")
    results.replace(
        "mixed", [new], tmp_path / "kept", lambda run: run.config["slow"] == new.config["slow"]
    )
    assert {path.name for path in (tmp_path / "kept" / "mixed").glob("*")} == {"same", "new"}


def test_what_cannot_be_judged_is_said_after_the_rest(tmp_path):
    shutil.copytree(results.ROOT, tmp_path / "kept")
    for name in KEPT:
        (tmp_path / "kept" / f"{name}.json").unlink()
    shutil.rmtree(tmp_path / "kept" / "mixed", ignore_errors=True)
    flags = ("--judge_only", f"--results={tmp_path / 'kept'}", "--seeds=0:10")
    status, output = cli.run("evidence", "--claim=adaptive,less_forgetting", *flags)
    assert status != 0
    assert "claim adaptive cannot be judged: no finished run of 'mixed/gain_cost'" in output
    assert "forgetting minus slow-only's" in output
    made = json.loads((results.ROOT / "less_forgetting.json").read_text("utf-8"))
    files.write_json_atomic(tmp_path / "kept" / "less_forgetting.json", made)
    status, output = cli.run("evidence", "--claim=less_forgetting", *flags)
    assert status == 0, output
    assert json.loads((tmp_path / "kept" / "less_forgetting.json").read_text("utf-8")) == made


def test_claims_on_runs_that_changed_are_judged_again(tmp_path):
    shutil.copytree(results.ROOT, tmp_path / "kept")
    stale = tmp_path / "kept" / "better_end.json"
    kept = json.loads(stale.read_text("utf-8"))
    files.write_json_atomic(stale, {**kept, "verdict": "holds", "parts": []})
    flags = ("--judge_only", f"--results={tmp_path / 'kept'}")
    status, output = cli.run("evidence", "--claim=fewer_steps", *flags)
    assert status == 0, output
    assert json.loads(stale.read_text("utf-8")) == kept


def test_a_claim_that_no_run_was_asked_about_is_not_judged():
    found = results.find(["two_tasks"], results.ROOT)["two_tasks/interleave"]
    nowhere = {
        seeds: run._replace(directory=results.ROOT / "nowhere") for seeds, run in found.items()
    }
    (grid,) = claims.CLAIMS["plasticity"].grids
    unasked = {f"{grid}/interleave": nowhere}
    with pytest.raises(results.ResultsError, match="no finished run tells the score of fresh"):
        results.judge("plasticity", unasked)


def test_a_dry_run_shows_kept_runs_as_finished(tmp_path):
    flags = ("--claim=zero_start", "--dry_run", "--seeds=1:5")
    status, output = cli.run("evidence", *flags, f"--out={tmp_path / 'a'}")
    assert status == 0, output
    assert "8 cells: 4 finished, 4 new" in output
    none = f"--results={tmp_path / 'none'}"
    status, output = cli.run("evidence", *flags, f"--out={tmp_path / 'b'}", none)
    assert status == 0, output
    assert "8 cells: 8 new" in output


def test_seeds_that_cannot_be_planned_are_an_error_of_a_dry_run_too(tmp_path):
    flags = ("--claim=fewer_steps", "--dry_run", "--seeds=abc", f"--out={tmp_path}")
    status, output = cli.run("evidence", *flags)
    assert status == 2
    assert "seed must be int, got 'abc'" in output


def test_slim_rows_keep_what_judging_needs(tmp_path):
    rows = records.read(synthetic.write(tmp_path / "run"))
    slim = [results.slim(row) for row in rows]
    for row, kept in zip(rows, slim, strict=True):
        assert {**row, "absorbed": None} == {**kept, "absorbed": None}
        for part, slimmed in zip(row.get("absorbed", ()), kept.get("absorbed", ()), strict=True):
            assert len(part["details"].get("steps", ())) == len(slimmed["details"].get("steps", ()))
            assert set(slimmed["details"]) <= {"steps"}


def test_kept_runs_are_found_finished_by_a_sweep(tmp_path):
    made = synthetic.write(tmp_path / "made")
    cell = runs.Run(tmp_path / "cell-0123abcd", {"a": 1}, records.read(made), done=True)
    found = {"values": {"differences": {"final": {"mean": -0.25}}}}
    files.write_json_atomic(cell.directory / "diagnostics" / "plasticity.json", found)
    results.keep(cell, "mixed", tmp_path / "kept")
    results.lend("mixed", tmp_path / "kept", tmp_path / "out")
    lent = tmp_path / "out" / "mixed" / "cell-0123abcd"
    assert run_directory.is_done(lent)
    assert records.read(lent) == [results.slim(row) for row in cell.rows]
    assert effects.plasticity(cell._replace(directory=lent)) == -0.25
    assert math.isnan(effects.plasticity(cell._replace(directory=tmp_path)))
    (lent / "DONE").unlink()
    results.lend("mixed", tmp_path / "kept", tmp_path / "out")  # never over what is there
    assert not run_directory.is_done(lent)
