import errno
import fcntl
import json
import subprocess
import sys
import threading

import pytest

from fastslow import computing, config, files, run_directory

WANTED = {"config": {"seed": 1, "slow": {"name": "lora"}}, "model_digest": "abc"}


def test_a_fresh_directory_gets_a_configuration_with_versions(tmp_path):
    run_directory.check(tmp_path, WANTED, resume=False)
    run_directory.write_config(tmp_path, WANTED)
    found = run_directory.read_config(tmp_path)
    assert {key: found[key] for key in WANTED} == WANTED
    assert {"python", "jax", "dspy"} <= set(found["versions"])
    assert len(found["git"].rstrip("+")) == 40
    assert found["devices"] == computing.devices()


def test_going_on_under_the_same_code_leaves_no_trace_and_under_other_code_is_noted(
    tmp_path, monkeypatch
):
    run_directory.write_config(tmp_path, WANTED)
    begun = run_directory.read_config(tmp_path)
    run_directory.note_resumption(tmp_path, 3)
    assert run_directory.read_config(tmp_path) == begun
    monkeypatch.setattr(run_directory, "git_commit", lambda: "f" * 40)
    with pytest.warns(UserWarning, match=r"from event 3 on.*git: '.*' -> 'ffff"):
        run_directory.note_resumption(tmp_path, 3)
    run_directory.note_resumption(tmp_path, 5)  # as it was the last time
    (noted,) = run_directory.read_config(tmp_path).pop("resumed")
    same = {key: begun[key] for key in ("versions", "devices")}
    assert noted == {"event": 3, **same, "git": "f" * 40}
    run_directory.check(tmp_path, WANTED, resume=True)


def test_going_on_on_another_device_is_noted(tmp_path, monkeypatch):
    run_directory.write_config(tmp_path, WANTED)
    monkeypatch.setattr(computing, "devices", lambda: "gpu (H100)")
    with pytest.warns(UserWarning, match=r"from event 4 on.*devices: '.*' -> 'gpu \(H100\)'"):
        run_directory.note_resumption(tmp_path, 4)


def test_a_used_directory_needs_resume(tmp_path):
    run_directory.write_config(tmp_path, WANTED)
    with pytest.raises(run_directory.RunDirectoryError, match=r"an unfinished run.*--resume"):
        run_directory.check(tmp_path, WANTED, resume=False)
    run_directory.check(tmp_path, WANTED, resume=True)
    run_directory.mark_done(tmp_path)
    with pytest.raises(run_directory.RunDirectoryError, match="a finished run"):
        run_directory.check(tmp_path, WANTED, resume=False)


def test_another_configuration_is_refused_with_every_difference(tmp_path):
    run_directory.write_config(tmp_path, WANTED)
    other = {"config": {"seed": 2, "slow": {"name": "full"}}, "model_digest": "xyz"}
    with pytest.raises(run_directory.RunDirectoryError) as caught:
        run_directory.check(tmp_path, other, resume=True)
    for line in ("config.seed: 1 -> 2", "'lora' -> 'full'", "model_digest: 'abc' -> 'xyz'"):
        assert line in str(caught.value)
    assert run_directory.read_config(tmp_path)["config"]["seed"] == 1


def test_an_option_that_did_not_exist_yet_counts_as_its_default(tmp_path):
    plugin = config.Plugin("any")
    run = config.Run(1, 0, plugin, plugin, plugin, plugin, plugin, config.Evaluation())
    wanted = {"config": config.to_json(run)}
    older = json.loads(json.dumps(wanted))
    del older["config"]["evaluation"]["probe_examples"]
    run_directory.write_config(tmp_path, older)
    run_directory.check(tmp_path, wanted, resume=True)
    wanted["config"]["evaluation"]["probe_examples"] = 3
    with pytest.raises(run_directory.RunDirectoryError, match="probe_examples: 24 -> 3"):
        run_directory.check(tmp_path, wanted, resume=True)


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with (
        pytest.raises(files.WriteError, match="cannot be locked: No locks available"),
        run_directory.locked(tmp_path),
    ):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"config": 3}', "\xff"])
def test_a_file_that_is_no_configuration_is_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text, "latin-1")
    with pytest.raises(run_directory.RunDirectoryError, match=r"config\.json is not"):
        run_directory.check(tmp_path, WANTED, resume=True)


def test_only_one_process_holds_a_directory(tmp_path):
    script = (
        "import pathlib, sys\n"
        "from fastslow import run_directory\n"
        "try:\n"
        "    with run_directory.locked(pathlib.Path(sys.argv[1])): print('held')\n"
        "except run_directory.RunDirectoryError as error: print(error)\n"
    )

    def attempt():
        command = [sys.executable, "-c", script, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with run_directory.locked(tmp_path):
        assert "in use by another process" in attempt()
    assert attempt() == "held\n"


def test_anyone_can_ask_whether_a_directory_is_held(tmp_path):
    assert not run_directory.in_use(tmp_path / "none")
    with run_directory.locked(tmp_path):
        assert run_directory.in_use(tmp_path)
    assert not run_directory.in_use(tmp_path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(files.WriteError, match="file/run"),
        run_directory.locked(tmp_path / "file" / "run"),
    ):
        pass


def test_configuration_file_is_json_with_schema(tmp_path):
    run_directory.write_config(tmp_path, WANTED, events=7)
    found = json.loads((tmp_path / "config.json").read_text())
    assert (found["schema"], found["events"]) == (1, 7)


def test_an_error_while_the_directory_is_held_keeps_its_own_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="thresholds"), run_directory.locked(tmp_path):
        (tmp_path / "thresholds.json").read_text()
    with pytest.raises(files.WriteError, match="big: No space"), run_directory.locked(tmp_path):
        raise files.WriteError(28, "No space left on device", "big")


@pytest.mark.parametrize("left", ["records.jsonl", "checkpoints", "DONE"])
@pytest.mark.parametrize("resume", [True, False])
def test_what_is_left_of_a_run_without_its_configuration_is_not_taken_over(tmp_path, left, resume):
    (tmp_path / left).mkdir()
    with pytest.raises(run_directory.RunDirectoryError, match=f"has {left} of a run but no config"):
        run_directory.check(tmp_path, WANTED, resume=resume)


def test_who_only_looks_keeps_nobody_out(tmp_path):
    with run_directory.locked(tmp_path):
        pass
    with open(tmp_path / "LOCK") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)  # what `in_use` does, for a moment
        ending = threading.Timer(0.05, handle.close)
        ending.start()
        with run_directory.locked(tmp_path):
            ending.join()
            assert run_directory.in_use(tmp_path)
