import dataclasses
import inspect
import json
import pathlib
import re

import pytest

from fastslow import registry, streams, types
from fastslow.streams import errors, schedule, tasks
from tests.streams import readme_stream


class Handmade:
    """A stream without any help of ours."""

    def __init__(self, seed):
        items = tasks.examples((f"question {n}", "x") for n in range(9))
        self.tasks = {"only": tasks.make("only", items, "", validation=2, test=2)}
        self.seed = seed

    def events(self):
        yield types.EvaluationPoint(0, ("only",))


class Unchecked(Handmade):
    """A hand-made stream whose only task is not what the others can work with."""

    def __init__(self, seed, flaw):
        super().__init__(seed)
        task = self.tasks["only"]
        flawed = {
            "empty": lambda: dataclasses.replace(task, validation=()),
            "ids": lambda: dataclasses.replace(
                task, test=(types.Example(task.validation[0].id, "something else", "x"),)
            ),
            "leak": lambda: dataclasses.replace(
                task, test=(types.Example("new", f" {task.train[0].input.upper()}", "x"),)
            ),
            "none": lambda: "only",
        }
        self.tasks = {"only": flawed[flaw]()}


class Unordered(Handmade):
    """A hand-made stream whose events are not what the loop can go through."""

    def __init__(self, seed, events):
        super().__init__(seed)
        self.given = iter(events) if events == ONCE else events

    def events(self):
        yield from self.given


LESSON = types.Lesson(1, "only", (types.Example("new", "question", "x"),))
LOOK = types.EvaluationPoint(0, ("only",))
ONCE = (LOOK, LESSON)
TASK = Handmade(0).tasks["only"]
OTHER = types.Example("new", "another question", "x")


def nothing():
    return {"tasks": {}}


def broken():
    return json.loads("twelve")


def test_a_class_with_the_two_members_is_a_stream():
    stream = streams.build(f"{__name__}:Handmade", seed=5, order_seed=6)
    assert stream.seed == 5
    assert [event.index for event in stream.events()] == [0]


def test_a_factory_that_makes_something_else_is_an_error():
    with pytest.raises(errors.StreamError, match="no stream: it needs"):
        streams.build(f"{__name__}:nothing")


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ("empty", "task 'only' has no validation examples"),
        ("ids", "task 'only' has two examples with the id"),
        ("leak", "the test example 'new' asks what a training example asks"),
        ("none", "made of tasks, not of 'only'"),
    ],
)
def test_tasks_of_a_hand_made_stream_are_checked_before_anything_runs(flaw, message):
    with pytest.raises(errors.StreamError, match=message):
        streams.build(f"{__name__}:Unchecked", {"flaw": flaw})


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (ONCE, "gave 2 events, and 0 when it was called again"),
        ((), "gave 0 events"),
        ((LOOK, "lesson"), "event 1 is 'lesson', neither Lesson nor EvaluationPoint"),
        ((LESSON,), "event 0 has the index 1: events are numbered from 0"),
        (
            (dataclasses.replace(LOOK, tasks=("onyl",)),),
            "task of event 0 'onyl'; did you mean 'only'",
        ),
        ((LOOK, dataclasses.replace(LESSON, task_name="onyl")), "task of event 1 'onyl'"),
        (
            (LOOK, dataclasses.replace(LESSON, examples=())),
            "event 1, a lesson of 'only', has no examples",
        ),
        (
            (LOOK, dataclasses.replace(LESSON, examples=TASK.test[:1])),
            f"event 1, a lesson of 'only', teaches the test item '{TASK.test[0].id}'",
        ),
        (
            (LOOK, dataclasses.replace(LESSON, examples=(*LESSON.examples, OTHER))),
            "event 1, a lesson of 'only', has another example with the id 'new'",
        ),
        (
            (LOOK, dataclasses.replace(LESSON, examples=(OTHER._replace(id=TASK.train[0].id),))),
            f"event 1, a lesson of 'only', has another example with the id '{TASK.train[0].id}'",
        ),
    ],
)
def test_events_of_a_hand_made_stream_are_checked_before_anything_runs(events, message):
    with pytest.raises(ValueError, match=message):
        streams.build(f"{__name__}:Unordered", {"events": events})


def test_an_error_in_a_factory_names_its_line():
    line = inspect.getsourcelines(broken)[1] + 1
    with pytest.raises(registry.PluginError, match=rf"JSONDecodeError: .*build_test.py:{line}\)"):
        streams.build(f"{__name__}:broken")


def test_a_spec_may_hold_the_first_option():
    assert streams.resolve("reasoning_gym:a,b") == ("reasoning_gym", {"tasks": "a,b"})
    assert streams.resolve("evals_short:food") == ("evals_short", {"tasks": "food"})
    assert streams.resolve("jsonl:x/y") == ("jsonl", {"path": "x/y"})


def test_a_folder_is_a_jsonl_stream(tmp_path):
    assert streams.resolve(str(tmp_path)) == ("jsonl", {"path": str(tmp_path)})


def test_a_path_to_nowhere_is_said_to_be_one(tmp_path):
    with pytest.raises(errors.StreamError, match="no such folder"):
        streams.build(str(tmp_path / "nowhere"))


def test_a_file_is_not_taken_for_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.jsonl").touch()
    with pytest.raises(errors.StreamError, match=r"train.jsonl: a file, not the folder it is in"):
        streams.build("train.jsonl")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("evals_shrt", "unknown stream 'evals_shrt'; did you mean 'evals_short'"),
        ("recurring:", "unknown stream 'recurring:'; did you mean 'recurring'"),
        ("", "unknown stream ''"),
        ("tests.streams.readme_stream:sum", "did you mean 'sums'"),
        ("no_such_module:sums", "no module named 'no_such_module'"),
        ("evals_short:sarcams", "unknown task of evals_short 'sarcams'; did you mean 'sarcasm'"),
    ],
)
def test_unknown_names_suggest_the_nearest(spec, message):
    with pytest.raises(registry.UnknownNameError, match=message):
        streams.build(spec)


def test_a_missing_option_is_named():
    with pytest.raises(registry.OptionError, match="'jsonl' needs the option 'path'"):
        streams.build("jsonl")


@pytest.mark.parametrize(
    ("spec", "option", "wanted"),
    [
        ("recurring", "exponent", "float"),
        ("recurring", "lessons_per_task", "int"),
        ("mixed", "balanced", "bool"),
        ("tests.streams.readme_stream:sums", "largest", "int"),
    ],
)
def test_an_option_of_another_type_is_named(spec, option, wanted):
    message = f"option '{option}' of stream '{spec}' must be {wanted}, got 'x'"
    with pytest.raises(registry.OptionError, match=re.escape(message)):
        streams.build(spec, {option: "x"})


def test_the_readme_stream_runs_and_fits_in_the_readme():
    stream = streams.build("tests.streams.readme_stream:sums", {"largest": 15, "repeats": 2})
    assert isinstance(stream, schedule.ScheduledStream)
    assert list(stream.tasks) == ["add", "subtract"]
    source = pathlib.Path(readme_stream.__file__).read_text()
    assert len(source.splitlines()) < 20


@pytest.mark.parametrize("name", ["evals_short", "conventions", "pi_llm"])
def test_an_order_seed_does_something_where_an_order_is_drawn(name):
    assert not streams.draws_an_order(name, {})
    assert not streams.draws_an_order(name, {"order": "given"})
    assert streams.draws_an_order(name, {"order": "shuffled"})


def test_streams_that_draw_orders_of_their_own_are_known_to():
    assert streams.draws_an_order("mixed", {})
    assert not streams.draws_an_order("mixed", {"order": "given"})
    assert streams.draws_an_order("recurring:conventions", {})
    assert not streams.draws_an_order("tests.streams.readme_stream:sums", {})


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "a\\b", 3])
def test_a_task_is_called_so_that_a_folder_can_be(name):
    task = tasks.make(
        name, tasks.examples((f"q{n}", "x") for n in range(9)), "", validation=2, test=2
    )
    with pytest.raises(errors.StreamError, match="a task cannot be called"):
        schedule.check_task(task)


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("target", 4, "str, got 4"),
        ("input", None, "str, got None"),
        ("choices", "yes", "tuple"),
        ("id", 7, "str, got 7"),
    ],
)
def test_an_example_with_a_field_of_another_type_is_named(field, value, wanted):
    items = tasks.examples((f"q{n}", "x") for n in range(9))
    task = tasks.make("sums", items, "", validation=2, test=2)
    wrong = task.test[0]._replace(**{field: value})
    message = rf"task 'sums', example .*: {field} must be {wanted}"
    with pytest.raises(errors.StreamError, match=message):
        schedule.check_task(dataclasses.replace(task, test=(*task.test, wrong)))


def test_dicts_and_bare_instructions_are_told_what_they_should_be():
    task = tasks.make(
        "sums", tasks.examples((f"q{n}", "x") for n in range(9)), "", validation=2, test=2
    )
    with pytest.raises(errors.StreamError, match=r"is a dict, make it a fastslow.types.Example"):
        schedule.check_task(dataclasses.replace(task, train=[{"input": "a", "target": "b"}]))
    with pytest.raises(errors.StreamError, match=r"seed_prompt must be a fastslow.types.Prompt"):
        schedule.check_task(dataclasses.replace(task, seed_prompt="Answer."))


@pytest.mark.parametrize("spec", ["x" * 300, "nul\0byte"])
def test_a_name_that_no_file_can_have_is_an_unknown_stream(spec):
    with pytest.raises(registry.UnknownNameError, match="unknown stream"):
        streams.build(spec)
