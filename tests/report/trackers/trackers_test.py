"""Numbers of a run in each tracker's own files, and trackers that fail."""

import dataclasses
import json
import math
import sys

import pytest

from fastslow import config, learner, run, run_state, scheduler, types
from fastslow.report import happenings, trackers
from fastslow.report.trackers import scalars
from tests import toy

DRIFT = {"red": {"with_prompt": learner.Drift(0.25, 0.5)}}
SETTINGS = {"seed": 3, "slow": {"name": "lora", "rank": 8}}


class Memory:
    """Keep what is logged."""

    def __init__(self):
        self.rows, self.closed = [], None

    def log(self, axis, step, values):
        self.rows.append((axis, step, dict(values)))

    def close(self, finished):
        self.closed = finished


def test_of_trials_only_the_kept_one_is_logged(tmp_path):
    sink = Memory()
    watcher = scalars.Scalars("memory", sink, tmp_path, warn=pytest.fail)
    trials = (types.Budgets(0, 2),)
    watcher(
        happenings.LessonStarted(types.Lesson(1, "red", ()), types.Decision(0, 0, "try", trials))
    )
    steps = {"steps": [{"reward": 0.25}, {"reward": 0.75}]}
    tried = types.Absorbed("slow", "changed", "", 0.25, 0.75, types.Cost(train_tokens=7), steps)
    watcher(happenings.TrialStarted(types.Budgets(0, 2)))
    watcher(happenings.Stepped("slow", 1, 2, {"reward": 0.25}))
    watcher(happenings.ChannelDone(tried))
    watcher(happenings.TrialKept(types.Budgets(0, 2), 0.5, (tried,)))
    budgets, value, results = (values for _, _, values in sink.rows)
    assert budgets == {"budget/fast": 0.0, "budget/slow": 2.0}
    assert value == {"trial/value": 0.5}
    assert results["slow_lesson/reward_after"] == 0.75
    watcher(happenings.LessonStarted(types.Lesson(3, "red", ()), types.Decision(0, 1, "no trial")))
    watcher(happenings.Stepped("slow", 1, 1, {"reward": 1.0}))
    assert sink.rows[-1] == ("slow_step", 3, {"slow/reward": 1.0})  # behind the two of the trial


def tell(watcher):
    """Tell a watcher about a lesson of two steps with an evaluation after it."""
    lesson = types.Lesson(1, "red", ())
    point = types.EvaluationPoint(2, ("red",))
    watcher(happenings.RunStarted([types.EvaluationPoint(0, ("red",)), lesson, point], 0))
    watcher(happenings.LessonStarted(lesson, types.Decision(0, 2, "because")))
    watcher(happenings.ChannelDone(types.Absorbed("fast", "skipped", "no budget")))
    watcher(happenings.Stepped("slow", 1, 2, {"reward": 0.25, "loss": math.nan}))
    watcher(happenings.Stepped("slow", 2, 2, {"reward": 0.5, "loss": 1.5}))
    cost = types.Cost(train_tokens=7, seconds=2.0)
    watcher(happenings.ChannelDone(types.Absorbed("slow", "changed", "", 0.25, math.nan, cost)))
    watcher(happenings.EvaluationStarted(point))
    watcher(happenings.Evaluated(point, {"red": 0.75, "blue": math.nan}, DRIFT))


EXPECTED = [
    ("event", 1, {"budget/fast": 0.0, "budget/slow": 2.0}),
    ("slow_step", 1, {"slow/reward": 0.25}),
    ("slow_step", 2, {"slow/reward": 0.5, "slow/loss": 1.5}),
    (
        "event",
        1,
        {
            "slow_lesson/reward_before": 0.25,
            "slow_lesson/train_tokens": 7.0,
            "slow_lesson/seconds": 2.0,
        },
    ),
    (
        "event",
        2,
        {
            "score/red": 0.75,
            "drift/red/with_prompt/trained_base": 0.25,
            "drift/red/with_prompt/base_trained": 0.5,
        },
    ),
]


def test_progress_becomes_finite_numbers_on_axes(tmp_path):
    sink = Memory()
    tell(scalars.Scalars("memory", sink, tmp_path, pytest.fail))
    assert sink.rows == EXPECTED


def test_steps_are_counted_over_the_run_and_over_its_resumption(tmp_path):
    """Of a toy run with steps, and of one resumed after four events."""

    class Stepping(toy.Slow):
        tell = None

        def absorb(self, state, lesson, budget, seed):
            for done in range(budget):
                self.tell(happenings.Stepped("slow", done + 1, budget, {"reward": 0.5}))
            return super().absorb(state, lesson, budget, seed)

    def steps(sink):
        return [step for axis, step, _ in sink.rows if axis == "slow_step"]

    slow = Stepping()
    policy = scheduler.SCHEDULERS.build("slow_only", {"slow_steps": 2})
    made = run.Experiment(
        toy.Stream(), toy.LEARNER._replace(slow=slow), policy, config.Evaluation(), 0
    )
    state = run_state.init(made.learner, made.scheduler, 0)
    sink = Memory()
    object.__setattr__(slow, "tell", scalars.Scalars("memory", sink, tmp_path, pytest.fail))
    run.run(made, state, tmp_path, slow.tell)
    assert steps(sink) == list(range(1, 13))  # six lessons
    sink = Memory()
    object.__setattr__(slow, "tell", scalars.Scalars("memory", sink, tmp_path, pytest.fail))
    slow.tell(happenings.RunStarted(list(made.stream.events()), 4))
    run.run(made, dataclasses.replace(state, position=4), tmp_path / "again", slow.tell)
    assert steps(sink) == list(range(5, 13))  # after the two lessons that were done


def test_a_tracker_that_raises_is_switched_off_with_one_warning(tmp_path):
    class Failing(Memory):
        def log(self, axis, step, values):
            super().log(axis, step, values)
            raise OSError("disk full")

    sink, other, warnings = Failing(), Memory(), []
    failing = scalars.Scalars("bad", sink, tmp_path, warnings.append)
    good = scalars.Scalars("good", other, tmp_path, warnings.append)
    tell(happenings.broadcast([failing, good]))
    failing.close(True)
    good.close(True)
    assert len(sink.rows) == 1
    assert sink.closed is None
    assert warnings == ["warning: tracker 'bad' failed and is off from now on: OSError: disk full"]
    assert other.rows == EXPECTED
    assert other.closed is True


def test_a_tracker_that_cannot_begin_is_left_out_with_a_warning(tmp_path):
    warnings = []
    with trackers.opened([f"{__name__}:no_begin"], tmp_path, {}, warnings.append) as made:
        assert made == []
    (told,) = warnings
    name = f"{__name__}:no_begin"
    assert told.startswith(
        f"warning: tracker {name!r} is left out: {name!r} raised RuntimeError: no"
    )


def no_begin(directory, settings):
    raise RuntimeError("no")


def remembered(directory, settings):
    MADE.append(Memory())
    return MADE[-1]


MADE: list = []


def test_trackers_are_told_whether_the_run_came_to_its_end(tmp_path):
    name = f"{__name__}:remembered"
    with trackers.opened([name], tmp_path, {}):
        pass
    with pytest.raises(KeyboardInterrupt), trackers.opened([name], tmp_path, {}):
        raise KeyboardInterrupt
    assert [sink.closed for sink in MADE] == [True, False]


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_missing_package_is_named_before_anything_begins(name, tmp_path, monkeypatch):
    module = {"tensorboard": "tensorboardX"}.get(name, name)
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(trackers.TrackerError, match=f"pip install {module}"),
        trackers.opened([name], tmp_path / "run", {}),
    ):
        pass
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'tensorboard'"):
        trackers.check(["tensorbord"])


def track(name, directory):
    with trackers.opened([name], directory, SETTINGS, pytest.fail) as made:
        tell(happenings.broadcast([happenings.silent, *made]))


def test_tensorboard_has_every_number(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto import event_pb2

    track("tensorboard", tmp_path)
    (path,) = (tmp_path / "tensorboard").iterdir()
    found = {}
    with open(path, "rb") as file:
        while record := read_record(file):
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
    for _, step, values in EXPECTED:
        for name, value in values.items():
            assert found[name, step] == value


def read_record(file):
    """Return the next record of a TensorBoard file: length, checksum, content, checksum."""
    head = file.read(12)
    if not head:
        return None
    content = file.read(int.from_bytes(head[:8], "little"))
    file.read(4)
    return content


def test_mlflow_has_every_number_and_a_resumed_run_is_the_same_one(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    track("mlflow", tmp_path)
    track("mlflow", tmp_path)
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "mlflow").as_uri())
    experiment = client.get_experiment_by_name("fastslow").experiment_id
    (found,) = client.search_runs([experiment])
    assert found.info.status == "FINISHED"
    assert found.data.params == {"seed": "3", "slow.name": "lora", "slow.rank": "8"}
    for _, step, values in EXPECTED:
        for name, value in values.items():
            history = client.get_metric_history(found.info.run_id, name)
            assert [m.value for m in history if m.step == step] == [value, value]


def test_mlflow_killed_before_it_began_its_run_begins_it_later(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "mlflow").as_uri())
    experiment = client.create_experiment("fastslow")
    track("mlflow", tmp_path)
    (begun,) = client.search_runs([experiment])
    assert begun.info.status == "FINISHED"


def test_wandb_has_every_number_offline_and_a_resumed_run_is_the_same_one(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody there: must not matter
    track("wandb", tmp_path)
    track("wandb", tmp_path)
    runs = sorted((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    identity = (tmp_path / "wandb" / "run_id").read_text()
    assert {path.name for path in runs} == {f"run-{identity}.wandb"}
    logged = []
    for data in wandb_records(runs[0].read_bytes()):
        record = wandb_internal_pb2.Record.FromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            logged.append(
                {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}
            )
    for row, (axis, step, values) in zip(logged, EXPECTED, strict=True):
        assert {name: row[name] for name in values} == values
        assert row[axis] == step


def wandb_records(content):
    """Yield the records of a small wandb file: a header of 7 bytes, then a LevelDB log."""
    assert len(content) < 2**15  # one block
    at = 7
    while at + 7 <= len(content):
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        assert kind == 1  # a whole record
        yield content[at + 7 : at + 7 + length]
        at += 7 + length


def test_steps_of_a_search_are_no_slow_steps(tmp_path):
    sink = Memory()
    watcher = scalars.Scalars("memory", sink, tmp_path, pytest.fail)
    watcher(happenings.Stepped("fast", 24, 160, {"reward": 0.5}))
    watcher(happenings.Stepped("slow", 1, 8, {"reward": 0.5}))
    assert sink.rows == [("slow_step", 1, {"slow/reward": 0.5})]
