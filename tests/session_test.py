import dataclasses
import shutil

import pytest

from fastslow import checkpoint, config, run, run_directory, run_state, scheduler, session, types
from fastslow.report import records
from tests import toy


@dataclasses.dataclass(frozen=True)
class Kinds(toy.Stream):
    """The toy stream, with a kind for its first task."""

    @property
    def tasks(self):
        tasks = {name: toy.task(name) for name in toy.TASKS}
        return tasks | {"red": dataclasses.replace(tasks["red"], kind="skill")}


def test_tasks_are_described_once_and_first(tmp_path):
    session.describe_tasks(Kinds(), tmp_path)
    before = records.path_of(tmp_path).read_bytes()
    (row,) = records.read(tmp_path)
    assert (row["kind"], row["event"]) == ("tasks", None)
    kinds = {name: told["kind"] for name, told in row["tasks"].items()}
    assert kinds == {"red": "skill", "green": "", "blue": ""}
    assert row["tasks"]["blue"]["constant"] == {"answer": "blue", "score": 1.0}
    records.truncate_after(tmp_path, 0)  # what a resumed run does
    session.describe_tasks(Kinds(), tmp_path)
    assert records.path_of(tmp_path).read_bytes() == before


def test_a_torn_description_is_written_again(tmp_path):
    session.describe_tasks(Kinds(), tmp_path)
    path = records.path_of(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    records.truncate_after(tmp_path, 0)
    session.describe_tasks(Kinds(), tmp_path)
    (row,) = records.read(tmp_path)
    assert row["tasks"].keys() == Kinds().tasks.keys()


@dataclasses.dataclass(frozen=True)
class Changed(toy.Stream):
    """The toy stream with another task "red", or with other events."""

    red: types.Task = dataclasses.field(default_factory=lambda: toy.task("red"))
    planned: tuple[types.Event, ...] = tuple(toy.Stream().events())

    @property
    def tasks(self):
        return {name: toy.task(name) for name in toy.TASKS} | {"red": self.red}

    def events(self):
        return iter(self.planned)


def changes():
    red, planned = toy.task("red"), tuple(toy.Stream().events())
    moved = dataclasses.replace(
        red, train=red.train[:-1], validation=(red.train[-1], *red.validation)
    )
    look, lesson, *others = planned
    return {
        "an item in another split": Changed(red=moved),
        "another scorer": Changed(red=dataclasses.replace(red, scorer=types.Score)),
        "another order": Changed(planned=(lesson, look, *others)),
        "other items": Changed(
            planned=(look, dataclasses.replace(lesson, examples=lesson.examples[:2]), *others)
        ),
    }


@pytest.mark.parametrize("what", changes())
def test_digest_of_the_plan_tells_what_that_of_the_items_does_not(what):
    changed = changes()[what]
    assert session.digest(changed) == session.digest(toy.Stream())
    assert session.plan_digest(changed) != session.plan_digest(toy.Stream())


def test_digest_of_the_plan_does_not_depend_on_where_things_lie_in_memory():
    assert session.plan_digest(toy.Stream()) == session.plan_digest(Changed())
    unnamed = (lambda *_: types.Score(1.0, ""), lambda *_: types.Score(1.0, ""))
    one, other = (Changed(red=dataclasses.replace(toy.task("red"), scorer=s)) for s in unnamed)
    assert session.plan_digest(one) == session.plan_digest(other)


def experiment():
    policy = scheduler.SCHEDULERS.build("interleave", {"fast_budget": 2, "slow_steps": 2})
    return run.Experiment(toy.Stream(), toy.LEARNER, policy, config.Evaluation(), seed=0)


def finished(directory):
    """Run the toy to its end; return its rows."""
    made = experiment()
    state = run_state.init(made.learner, made.scheduler, made.seed)
    run.run(made, state, directory)
    return [records.comparable(row) for row in records.read(directory)]


def test_a_run_that_lost_its_last_row_goes_on_from_the_checkpoint_before(tmp_path):
    rows = finished(tmp_path)
    path = records.path_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    assert records.complete(tmp_path) == len(rows) - 1
    state = session.restore(experiment(), tmp_path)
    assert state.position == len(rows) - 1
    records.truncate_after(tmp_path, state.position)
    checkpoint.discard_after(tmp_path, state.position)
    run.run(experiment(), state, tmp_path)
    assert [records.comparable(row) for row in records.read(tmp_path)] == rows


@pytest.mark.parametrize("kept", [0, 2])
def test_a_run_whose_checkpoints_are_beyond_its_rows_is_not_finished_without_them(tmp_path, kept):
    finished(tmp_path)
    path = records.path_of(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:kept]))
    with pytest.raises(run_directory.RunDirectoryError, match=f"complete up to event {kept} "):
        session.restore(experiment(), tmp_path)


def test_a_run_without_checkpoints_is_not_begun_again_over_its_rows(tmp_path):
    rows = finished(tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    with pytest.raises(run_directory.RunDirectoryError, match=f"records of {len(rows)} events"):
        session.restore(experiment(), tmp_path)
    path = records.path_of(tmp_path)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])  # killed before the first one
    assert session.restore(experiment(), tmp_path).position == 0


def test_a_gap_in_the_rows_counts_as_their_end(tmp_path):
    finished(tmp_path)
    path = records.path_of(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], *lines[4:]]))
    assert records.complete(tmp_path) == 3


def test_a_users_template_is_part_of_what_a_run_is(tmp_path):
    own = tmp_path / "mine.md"
    own.write_text("Take care of $feedback")
    fast = {"proposers": {"feedback": {"template": str(own)}, "edit": {"weight": 1.0}}}
    before = session.template_digests(fast)
    own.write_text("Beware of $feedback")
    after = session.template_digests(fast)
    assert [name for name in before if before[name] != after[name]] == [str(own)]
    with pytest.raises(config.ConfigError, match=r"'gone\.md': No such file"):
        session.template_digests({"proposers": {"feedback": {"template": "gone.md"}}})
