"""From run directories to files: which state is written, and what a user who errs is told."""

import json
import shutil
import warnings

import jax
import numpy as np
import pytest

from fastslow import checkpoint, registry, run_directory
from fastslow.export import FORMATS, contracts, export, learned
from fastslow.fast import prompt as prompt_lib
from fastslow.lm import loading, native, weights
from fastslow.slow.adapters import lora
from tests.experiments import cli
from tests.export import samples


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a run directory and what its configuration stands for."""
    directory = tmp_path_factory.mktemp("runs") / "mine"
    return directory, samples.run(directory)


@pytest.fixture
def run(built, tmp_path):
    """Return a copy of the run directory."""
    directory = tmp_path / "run"
    shutil.copytree(built[0], directory)
    return directory


def leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("position", [None, 3, 2])
def test_checkpoint_is_restored_as_it_was_saved(built, position):
    directory, parts = built
    found = learned.read(directory, position)
    assert found.position == (position or 3)
    assert found.events == 4
    expected = samples.state_after(parts, found.position).model
    for ours, theirs in zip(
        leaves(found.learned.variables),
        leaves(parts.parts.slow.variables(expected.slow)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    seed = parts.experiment.stream.tasks["late"].seed_prompt
    assert found.learned.prompts == {"late": samples.PROMPT if found.position == 3 else seed}


def test_merged_weights_are_those_of_the_checkpoint(built, tmp_path):
    directory, parts = built
    export.write(directory, tmp_path / "out", ["merged"], position=2, dtype="float32")
    model = loading.load(str(tmp_path / "out" / "merged"), dtype="float32")
    base = weights.cast(parts.parts.model.params, "float32")
    trainable = samples.state_after(parts, 2).model.slow.trainable
    for ours, theirs in zip(
        leaves(model.params), leaves(lora.lora().merge(base, trainable)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_every_format_is_written_beside_what_says_how_to_load_it(run, tmp_path):
    readme = export.write(run, tmp_path / "a" / "out", list(FORMATS))
    assert (tmp_path / "a" / "out" / "README.md").read_text() == readme
    found = {path.name for path in (tmp_path / "a" / "out").iterdir()}
    assert found == {*FORMATS, "README.md"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"out"}
    assert all(f"## {name}" in readme for name in FORMATS)
    config = json.loads((tmp_path / "a" / "out" / "merged" / "config.json").read_text())
    assert config["torch_dtype"] == native.dtype()  # that of the run
    markdown = (tmp_path / "a" / "out" / "prompts" / "late.md").read_text()
    assert prompt_lib.from_markdown(markdown) == samples.PROMPT


def test_unfinished_run_exports_its_last_checkpoint_and_says_so(run, tmp_path):
    told = export.write(run, tmp_path / "one", ["prompts"])
    assert "after 3 of its 4 events, unfinished." in told
    run_directory.mark_done(run)
    assert ", unfinished" not in export.write(run, tmp_path / "two", ["prompts"])


def test_damaged_checkpoint_gives_way_to_the_one_before(run, tmp_path):
    (checkpoint.path_of(run, 3) / "state.json").write_text("{}")
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        told = export.write(run, tmp_path / "out", ["prompts"])
    assert "after 2 of its 4 events" in told
    with pytest.raises(checkpoint.CheckpointError, match="differs from its recorded hash"):
        export.write(run, tmp_path / "other", ["prompts"], position=3)


def test_run_before_its_first_event_has_nothing_to_export(run, tmp_path):
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(checkpoint.CheckpointError, match="no event of the run is completed"):
        export.write(run, tmp_path / "out", ["prompts"])


def test_event_without_a_checkpoint_lists_those_with_one(run, tmp_path):
    with pytest.raises(checkpoint.CheckpointError, match="after event 1; it keeps: 2, 3"):
        export.write(run, tmp_path / "out", ["prompts"], position=1)


def test_data_that_has_changed_is_refused(built, tmp_path):
    directory, _ = built
    copied = tmp_path / "run"
    shutil.copytree(directory, copied)
    recorded = json.loads((copied / "config.json").read_text())
    recorded["stream_digest"] = "of other data"
    (copied / "config.json").write_text(json.dumps(recorded))
    with pytest.raises(run_directory.RunDirectoryError, match="stream_digest: 'of other data'"):
        export.write(copied, tmp_path / "out", ["prompts"])


@pytest.mark.parametrize(("slow", "has"), [("full", "'full'"), ("none", "'none'")])
def test_run_without_lora_exports_weights_but_no_adapter(tmp_path, slow, has):
    samples.run(tmp_path / "run", slow=slow)
    export.write(tmp_path / "run", tmp_path / "out", ["merged"])
    model = loading.load(str(tmp_path / "out" / "merged"))
    base = loading.load("tiny-random").params
    changed = any((a != b).any() for a, b in zip(leaves(model.params), leaves(base), strict=True))
    assert changed == (slow == "full")
    with pytest.raises(contracts.ExportError, match=f"{has}, has no low-rank adapter"):
        export.write(tmp_path / "run", tmp_path / "other", ["prompts", "adapter"])
    assert {path.name for path in tmp_path.iterdir()} == {"late", "run", "out"}


def test_mistakes_are_found_before_anything_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load", None)
    with pytest.raises(registry.UnknownNameError, match="format 'adaptor'; did you mean 'adapter'"):
        export.write(tmp_path, tmp_path / "out", ["prompts", "adaptor"])
    with pytest.raises(registry.UnknownNameError, match="unknown dtype 'float16'"):
        export.write(tmp_path, tmp_path / "out", ["merged"], dtype="float16")
    with pytest.raises(contracts.ExportError, match="nothing to export: name one of prompts"):
        export.write(tmp_path, tmp_path / "out", [])
    with pytest.raises(run_directory.RunDirectoryError, match="not the configuration of a run"):
        export.write(tmp_path, tmp_path / "out", ["prompts"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    for taken in (tmp_path / "full", tmp_path / "full" / "mine.txt"):
        with pytest.raises(contracts.ExportError, match="not an empty directory"):
            export.write(tmp_path, taken, ["prompts"])
    assert (tmp_path / "full" / "mine.txt").read_text() == "precious"


def test_program_exports_into_an_empty_directory(run, tmp_path):
    (tmp_path / "out").mkdir()
    status, output = cli.run(
        "export", f"--workdir={run}", f"--out={tmp_path / 'out'}", "--what=prompts,adapter"
    )
    assert status == 0, output
    assert "unfinished" in output
    assert "PeftModel" in output
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()


def test_program_says_in_one_line_what_is_wrong(tmp_path):
    (tmp_path / "stray.txt").write_text("")
    status, output = cli.run("export", f"--workdir={tmp_path / 'no'}", f"--out={tmp_path / 'out'}")
    assert status == 2, output
    assert "error: " in output
    assert "config.json is not the configuration of a run" in output
    assert "Traceback" not in output
