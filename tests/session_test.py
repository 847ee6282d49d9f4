import dataclasses

from fastslow import session
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
