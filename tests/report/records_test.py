import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from fastslow import files, learner, types
from fastslow.evaluation import constant
from fastslow.report import records

NAN = float("nan")


def _lesson(index=3, task="tomi"):
    absorbed = (
        types.Absorbed("fast", "skipped", "no budget"),
        types.Absorbed(
            "slow",
            "changed",
            "2 of 2 steps",
            0.25,
            0.5,
            types.Cost(train_tokens=7, seconds=1.5),
            {"steps": [{"reward": np.float32(0.25), "collect_seconds": 0.2, "loss": NAN}]},
        ),
    )
    report = types.LessonReport(types.Probe(0, 0, 1), types.Decision(0, 2, "new"), absorbed)
    return records.lesson_row(types.Lesson(index, task, ()), report, 4)


def _evaluation(index, scores):
    counts = dict.fromkeys(scores, 8)
    drift = {"tomi": {"with_prompt": learner.Drift(0.5, NAN)}}
    return records.evaluation_row(
        types.EvaluationPoint(index, tuple(scores)), scores, counts, drift, 4, types.Cost(1)
    )


def test_a_lesson_row_says_what_was_decided_and_what_came_of_it(tmp_path):
    records.append(tmp_path, _lesson(), 2.5)
    (row,) = records.read(tmp_path)
    assert (row["schema"], row["event"], row["kind"], row["task"]) == (1, 3, "lesson", "tomi")
    decision = {"fast_budget": 0, "slow_steps": 2, "reason": "new"}
    decision |= {"trials": [], "guarded": False}
    assert row["decision"] == decision
    assert row["probe"].items() >= {"times_seen": 0, "lessons_since": 0, "lesson_number": 1}.items()
    fast, slow = row["absorbed"]
    assert (fast["outcome"], fast["reward_before"], fast["details"]) == ("skipped", None, {})
    assert (slow["channel"], slow["reward_after"], slow["cost"]["train_tokens"]) == ("slow", 0.5, 7)
    assert slow["details"]["steps"] == [{"reward": 0.25, "collect_seconds": 0.2, "loss": None}]
    assert row["slow_steps"] == 4
    assert row["timing"] == {"seconds": 2.5}


def test_an_evaluation_row_is_strict_json_with_null_for_nan(tmp_path):
    records.append(tmp_path, _evaluation(0, {"tomi": 0.125, "crepe": NAN}), 1.0)
    text = records.path_of(tmp_path).read_text()
    assert text.endswith("\n")
    row = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert row["scores"] == {"tomi": 0.125, "crepe": None}
    assert row["counts"] == {"tomi": 8, "crepe": 8}
    assert row["drift"] == {"tomi": {"with_prompt": {"trained_base": 0.5, "base_trained": None}}}


def _tasks():
    return records.tasks_row(
        {"a": "skill", "b": ""},
        {"a": constant.Constant("Yes", 0.625), "b": constant.Constant(None, NAN)},
    )


def test_a_tasks_row_says_what_each_teaches_and_what_a_constant_answer_scores(tmp_path):
    records.append(tmp_path, _tasks(), 0.5)
    (row,) = records.read(tmp_path)
    assert (row["kind"], row["event"]) == ("tasks", None)
    assert row["tasks"] == {
        "a": {"kind": "skill", "constant": {"answer": "Yes", "score": 0.625}},
        "b": {"kind": "", "constant": {"answer": None, "score": None}},
    }


def test_the_tasks_stay_when_events_are_dropped_and_hide_no_quadrant(tmp_path):
    records.append(tmp_path, _tasks(), 0.5)
    records.append(tmp_path, _evaluation(0, {"a": 0.1}), 0.0)
    assert records.known_quadrants(tmp_path, ["a"]) == {"base_seed": {"a": 0.1}}
    records.append(tmp_path, records.quadrants_row({"base_seed": {"a": 1.0}}, types.Cost()), 0.0)
    records.truncate_after(tmp_path, 0)
    assert [row["kind"] for row in records.read(tmp_path)] == ["tasks"]


def test_quadrants_are_turned_to_task_then_corner():
    row = records.quadrants_row(
        {"base_seed": {"a": 0.0, "b": 0.5}, "trained_seed": {"a": 1.0}}, types.Cost()
    )
    assert row["quadrants"] == {
        "a": {"base_seed": 0.0, "trained_seed": 1.0},
        "b": {"base_seed": 0.5, "trained_seed": None},
    }
    assert row["event"] is None


def test_comparable_drops_times_at_every_depth_and_nothing_else():
    row = {**_lesson(), "timing": {"seconds": 1.0}}
    other = json.loads(json.dumps(row))
    other["timing"]["seconds"] = 9.0
    other["absorbed"][1]["cost"]["seconds"] = 9.0
    other["absorbed"][1]["details"]["steps"][0]["collect_seconds"] = 9.0
    assert records.comparable(row) == records.comparable(other)
    other["absorbed"][1]["details"]["steps"][0]["reward"] = 0.26
    assert records.comparable(row) != records.comparable(other)


def _filled(tmp_path, events=3):
    for event in range(events):
        records.append(tmp_path, _evaluation(event, {"tomi": event / 10}), 0.0)
    return records.path_of(tmp_path)


@pytest.mark.parametrize("torn", [b"{", b'{"schema":1,"eve', b"\x00\x00", '{"a":"ü'.encode()[:-1]])
def test_only_a_torn_last_line_is_tolerated_and_resuming_mends_it(tmp_path, torn):
    path = _filled(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert [row["event"] for row in records.read(tmp_path)] == [0, 1, 2]
    assert records.torn(tmp_path)
    with pytest.raises(records.RecordsError, match=r"records\.jsonl ends in a torn row"):
        records.append(tmp_path, _evaluation(3, {}), 0.0)
    records.truncate_after(tmp_path, 3)
    assert path.read_bytes() == whole
    path.write_bytes(torn + b"\n" + whole)
    with pytest.raises(records.RecordsError, match=r"records\.jsonl, line 1: not a row"):
        records.read(tmp_path)


def test_every_prefix_of_the_file_can_be_read(tmp_path):
    path = _filled(tmp_path, 2)
    whole = path.read_bytes()
    end_of_first = whole.index(b"\n")
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        events = [row["event"] for row in records.read(tmp_path)]
        complete = (length >= end_of_first) + (length >= len(whole) - 1)
        assert events == [0, 1][:complete]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[1]", "not a row"),
        (b'{"schema": 1}', "kind, event or timing is missing"),
        (b'{"schema": 2, "kind": "x"}', "schema 2; this program reads 1"),
    ],
)
def test_a_line_that_is_not_a_row_is_named(tmp_path, line, message):
    path = _filled(tmp_path, 1)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(records.RecordsError, match=f"line 2: .*{message}"):
        records.read(tmp_path)


def test_truncate_after_keeps_the_first_events_and_drops_what_follows_them(tmp_path):
    records.truncate_after(tmp_path, 0)  # nothing there yet
    path = _filled(tmp_path)
    before = path.read_bytes().splitlines(keepends=True)
    records.append(tmp_path, records.quadrants_row({"base_seed": {"a": 1.0}}, types.Cost()), 0.0)
    records.truncate_after(tmp_path, 2)
    assert path.read_bytes() == b"".join(before[:2])
    assert os.listdir(tmp_path) == ["records.jsonl"]


def test_append_is_durable_before_it_returns_and_a_full_disk_changes_nothing(tmp_path, monkeypatch):
    path = _filled(tmp_path, 1)
    whole = path.read_bytes()
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd)))
    records.append(tmp_path, _evaluation(1, {}), 0.0)
    assert synced == [path.stat().st_size]

    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    longer = path.read_bytes()
    assert longer.startswith(whole)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(files.WriteError, match=r"records\.jsonl: No space left on device"):
        records.append(tmp_path, _evaluation(2, {}), 0.0)
    assert path.read_bytes() == longer


def test_known_quadrants_are_what_was_measured_before_the_first_and_after_the_last_lesson(tmp_path):
    assert records.known_quadrants(tmp_path, ["a"]) == {"base_seed": {}}
    records.append(tmp_path, _evaluation(0, {"a": 0.1, "b": NAN}), 0.0)
    assert records.known_quadrants(tmp_path, ["a", "b"]) == {"base_seed": {"a": 0.1}}
    records.append(tmp_path, _lesson(1), 0.0)
    records.append(tmp_path, _evaluation(2, {"a": 0.5}), 0.0)
    records.append(tmp_path, _lesson(3), 0.0)
    records.append(tmp_path, _evaluation(4, {"b": 0.7, "other": 0.0}), 0.0)
    assert records.known_quadrants(tmp_path, ["a", "b"]) == {
        "base_seed": {"a": 0.1},
        "trained_evolved": {"b": 0.7},
    }


@pytest.mark.parametrize("fits", [0.0, 0.3, 0.75, 0.99])
def test_a_row_that_a_full_disk_cuts_leaves_the_file_as_it_was(tmp_path, fits):
    path = _filled(tmp_path)
    whole = path.read_bytes()
    row = {**_lesson(), "long": "x" * 50_000}
    limit = len(whole) + int(50_000 * fits)
    script = (
        "import json, pathlib, resource, signal, sys\n"
        "from fastslow import files\n"
        "from fastslow.report import records\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try:\n"
        "    records.append(pathlib.Path(sys.argv[1]), json.loads(sys.stdin.read()), 0.0)\n"
        "except files.WriteError:\n"
        "    sys.exit(7)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], input=json.dumps(row), text=True, check=False
    )
    assert ended.returncode == 7
    assert path.read_bytes() == whole
