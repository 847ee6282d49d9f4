import collections
import dataclasses
import inspect
import itertools

import pytest

from fastslow import registry, types
from fastslow.evaluation import scorers
from fastslow.streams import errors, schedule


def task(name, size=10):
    items = tuple(types.Example(f"{name}{n}", f"{name} {n}", "x") for n in range(size))
    validation, test = (
        (types.Example(f"{name} {split}", f"{name} {split}", "x"),) for split in ("held", "test")
    )
    return types.Task(name, items, validation, test, scorers.exact_match)


def outline(stream):
    """Return one letter per event: the task of a lesson, "." for an evaluation."""
    return "".join(
        event.task_name if isinstance(event, types.Lesson) else "." for event in stream.events()
    )


def taught(stream, name):
    return [
        example.id
        for event in stream.events()
        if isinstance(event, types.Lesson) and event.task_name == name
        for example in event.examples
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ".aa.bb."),
        ({"lessons_per_task": 1}, ".a.b."),
        ({"evaluate_every": "lesson"}, ".a.a.b.b."),
        ({"repeats": 2}, ".aa.bb.aa.bb."),
        ({"interleave": True}, ".a.b.a.b."),
        ({"interleave": True, "lessons_per_task": 1, "repeats": 2}, ".a.b.a.b."),
        ({"taught": "b"}, ".bb."),
        ({"taught": ("b",), "repeats": 2}, ".bbbb."),
        ({"taught": "b, a"}, ".aa.bb."),
    ],
)
def test_plan_and_evaluation_points(options, expected):
    assert outline(schedule.sequence([task("a"), task("b")], **options)) == expected


def test_tasks_that_are_not_taught_are_evaluated():
    stream = schedule.sequence([task("a"), task("b")], taught="b")
    points = [e for e in stream.events() if isinstance(e, types.EvaluationPoint)]
    assert {point.tasks for point in points} == {("a", "b")}


def test_mixed_lessons_are_a_permutation_drawn_from_the_order_seed():
    options = {"order": "mixed", "lessons_per_task": 4}
    made = [
        schedule.sequence([task("a"), task("b")], order_seed=n, **options) for n in (*range(9), 0)
    ]
    assert all(sorted(stream.plan) == [*"aaaabbbb"] for stream in made)
    assert len({stream.plan for stream in made}) > 5
    assert made[0].plan == made[-1].plan
    for stream in made:
        assert tuple(stream.tasks) == tuple(dict.fromkeys(stream.plan))
        assert taught(stream, "a") == taught(made[0], "a")


def test_one_task_repeated_is_one_run_of_lessons():
    assert outline(schedule.sequence([task("a")], repeats=2)) == ".aaaa."


def test_lessons_use_each_training_item_once_before_any_twice():
    stream = schedule.sequence([task("a")], lessons_per_task=10, examples_per_lesson=3)
    ids = taught(stream, "a")
    passes = [ids[start : start + 10] for start in range(0, 30, 10)]
    assert all(sorted(part) == sorted(f"a{n}" for n in range(10)) for part in passes)
    assert passes[0] != passes[1]


def test_a_repeat_goes_on_where_the_last_pass_stopped():
    stream = schedule.sequence(
        [task("a"), task("b")], lessons_per_task=1, examples_per_lesson=5, repeats=2
    )
    assert sorted(taught(stream, "a")) == sorted(f"a{n}" for n in range(10))


def test_what_a_task_teaches_does_not_depend_on_the_others():
    alone = schedule.sequence([task("a")], seed=5)
    after = schedule.sequence([task("b"), task("a")], seed=5, interleave=True)
    assert taught(alone, "a") == taught(after, "a")


def test_a_lesson_may_be_larger_than_the_train_split():
    stream = schedule.sequence([task("a", size=3)], lessons_per_task=1, examples_per_lesson=7)
    assert collections.Counter(taught(stream, "a")).most_common(1)[0][1] == 3


def test_events_can_be_cut_short_and_restarted():
    stream = schedule.sequence([task("a"), task("b")])
    events = list(stream.events())
    assert list(itertools.islice(stream.events(), 3, None)) == events[3:]


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
@pytest.mark.parametrize("option", ["lessons_per_task", "examples_per_lesson", "repeats"])
def test_counts_must_be_positive_integers(option, count):
    with pytest.raises(errors.StreamError, match=f"{option} must be a positive integer"):
        schedule.sequence([task("a")], **{option: count})


@pytest.mark.parametrize(
    ("options", "near"),
    [
        ({"order": "shuffle"}, "shuffled"),
        ({"evaluate_every": "task_"}, "task"),
        ({"taught": "aa"}, "a"),
    ],
)
def test_unknown_modes_suggest_the_nearest(options, near):
    with pytest.raises(registry.UnknownNameError, match=f"did you mean '{near}'"):
        schedule.sequence([task("a")], **options)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "at least one task"),
        ([task("a"), task("a")], "two tasks are called 'a'"),
        ([task("a", size=0)], "'a' has no training examples"),
        ([dataclasses.replace(task("a"), validation=())], "'a' has no validation examples"),
        ([dataclasses.replace(task("a"), test=())], "'a' has no test examples"),
        (
            [dataclasses.replace(task("a"), test=(types.Example("a0", "other", "x"),))],
            "'a' has two examples with the id 'a0'",
        ),
        (None, "made of tasks, not of None"),
        (["a"], "made of tasks, not of 'a'"),
        (task("a"), "made of tasks, not of Task"),
    ],
)
def test_tasks_that_make_no_stream(tasks, message):
    with pytest.raises(errors.StreamError, match=message):
        schedule.sequence(tasks)


def test_walk_through_nothing_is_an_error_and_not_endless():
    with pytest.raises(errors.StreamError, match="no examples"):
        next(schedule.walk((), 0))


def test_scheduled_adds_the_options_of_sequence_to_those_of_the_source():
    seen = {}

    @schedule.scheduled
    def source(size, seed=7):
        seen.update(size=size, seed=seed)
        return [task("a", size)]

    stream = source(size=4, seed=9, lessons_per_task=3)
    assert seen == {"size": 4, "seed": 9}
    assert (stream.seed, stream.plan) == (9, ("a", "a", "a"))
    assert registry.Registry("stream", {"s": source}).options("s") >= {"size", "seed", "repeats"}


def test_scheduled_may_have_other_defaults_for_the_options_of_sequence():
    factory = schedule.scheduled(lambda size=4: [task("a", size), task("b")], lessons_per_task=1)
    assert factory().plan == ("a", "b")
    assert factory(lessons_per_task=2).plan == ("a", "a", "b", "b")
    assert inspect.signature(factory).parameters["lessons_per_task"].default == 1


@pytest.mark.parametrize(
    ("options", "named"), [({}, "size"), ({"size": 4, "lesson_per_task": 3}, "lesson_per_task")]
)
def test_scheduled_refuses_missing_and_unknown_options(options, named):
    @schedule.scheduled
    def source(size):
        return [task("a", size)]

    with pytest.raises(errors.StreamError, match=named):
        source(**options)


def test_every_seed_prompt_shows_what_the_option_says():
    made = schedule.sequence(map(task, "ab"), shown=2, examples_per_lesson=2)
    for made_task in made.tasks.values():
        demos = {demo.input for demo in made_task.seed_prompt.demos}
        assert len(demos) == 2
        assert not demos & {example.input for example in made_task.train}
    with pytest.raises(errors.StreamError, match="shown must be 0 or a positive"):
        schedule.sequence(map(task, "ab"), shown=-1)


@pytest.mark.parametrize("counts", [{"yes": 60, "no": 36}, {"a": 40, "b": 40, "c": 16}])
def test_any_stretch_of_a_walk_holds_every_answer_in_proportion(counts):
    split = [types.Example(f"{a}{i}", f"{a} {i}", a) for a, n in counts.items() for i in range(n)]
    walked = list(itertools.islice(schedule.walk(split, 3), len(split)))
    assert sorted(e.id for e in walked) == sorted(e.id for e in split)  # a permutation
    for start in range(0, len(walked), 8):
        for answer, count in counts.items():
            found = sum(e.target == answer for e in walked[start : start + 8])
            assert abs(found - 8 * count / len(split)) <= 1
    order = [e.target for e in walked]
    assert order != sorted(order)
    assert [e.id for e in walked if e.target == order[0]] != sorted(
        (e.id for e in walked if e.target == order[0]), key=lambda i: int(i[len(order[0]) :])
    )
