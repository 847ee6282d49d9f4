"""Kept results follow from kept records; every claim can be judged, every grid can be run."""

import json
import math
import runpy

import pytest

from experiments.evidence import claims, effects, grids, results
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
def test_a_halved_grid_has_half_the_budgets(stream, full):
    whole, halved = (budgets(grids.GRIDS[name], full) for name in (stream, f"{stream}_halved"))
    assert whole == {name: 2 * halved[name] for name in whole}


def budgets(grid, full):
    config = runpy.run_path(str(grid.config))["get_config"]()
    sizes = grid.full if full else {}
    return {
        name: int(sizes.get(f"scheduler.{name}", config.scheduler[name]))
        for name in ("fast_budget", "slow_steps")
    }


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
