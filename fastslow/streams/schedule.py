"""From tasks to a stream: lessons cut from train splits, evaluation points between them."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import re
import reprlib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastslow import hints, registry, seeds, types
from fastslow.streams import errors, plans, splits
from fastslow.streams import tasks as task_makers

_ORDERS = ("given", "shuffled", "mixed")
_EVALUATION_PERIODS = ("lesson", "task")
_FOLDER_NAME = re.compile(r"[^./\\\0][^/\\\0]*")  # of the task's prompts
_EXAMPLE_HINTS = typing.get_type_hints(types.Example)


@dataclasses.dataclass(frozen=True)
class ScheduledStream:
    """A stream that teaches `tasks` lesson by lesson as `plan` says.

    Every task is evaluated before the first lesson, after every lesson or after every run of
    lessons of one task (`evaluate_every`), and at the end. The lessons of a task walk through its
    train split in an order drawn from `seed`, and in a fresh one each time it is exhausted (see
    `walk`).
    """

    tasks: Mapping[str, types.Task]
    plan: plans.Plan
    examples_per_lesson: int
    evaluate_every: str
    seed: int

    def events(self) -> Iterator[types.Event]:
        """Yield lessons and evaluation points, numbered from 0."""
        index = itertools.count()
        everything = tuple(self.tasks)
        walks = {
            name: walk(task.train, seeds.derive(self.seed, "walk", name))
            for name, task in self.tasks.items()
        }
        yield types.EvaluationPoint(next(index), everything)
        for name, following in itertools.zip_longest(self.plan, self.plan[1:]):
            examples = tuple(itertools.islice(walks[name], self.examples_per_lesson))
            yield types.Lesson(next(index), name, examples)
            if self.evaluate_every == "lesson" or following != name:
                yield types.EvaluationPoint(next(index), everything)


def walk(split: types.Split, seed: int) -> Iterator[Any]:
    """Yield the items of `split` forever, one seeded permutation after the other.

    Any stretch of a permutation holds each answer about as often as the split does. Under a plain
    one, a minibatch that happens to be full of one answer teaches to give it always. Raises
    StreamError, when the first is asked for, if there are none.
    """
    if not len(split):
        raise errors.StreamError("there are no examples to go through")
    answers = [getattr(item, "target", None) for item in split]
    for epoch in itertools.count():
        rng = np.random.default_rng(seeds.derive(seed, "epoch", epoch))
        for row in splits.spread(answers, rng):
            yield split[row]


def sequence(
    tasks: Iterable[types.Task],
    /,
    *,
    order: str = "given",
    lessons_per_task: int = 2,
    examples_per_lesson: int = 48,
    repeats: int = 1,
    interleave: bool = False,
    taught: str | Sequence[str] = (),
    shown: int = 0,
    evaluate_every: str = "task",
    seed: int = 0,
    order_seed: int = 0,
) -> ScheduledStream:
    """Return the stream that teaches the tasks one after the other.

    `order` is "given", "shuffled" (the tasks, by `order_seed`, the only thing it does) or "mixed"
    (all lessons, by `order_seed`). `taught` names the tasks to teach, all if it is empty; the
    others are only evaluated. Every seed prompt demonstrates `shown` training examples, drawn from
    `seed`, which are then not taught. `examples_per_lesson` should be slow steps x problems per
    step. `repeats` goes through the whole sequence again; `interleave` takes the lessons of a pass
    in turn, one of each task. `evaluate_every` is "lesson" or "task". Raises StreamError, or
    registry.UnknownNameError for a mode or a task that does not exist.
    """
    if isinstance(shown, bool) or not isinstance(shown, int) or shown < 0:
        raise errors.StreamError(f"shown must be 0 or a positive integer, got {shown!r}")
    table = {
        name: task_makers.demonstrated(task, shown, seeds.derive(seed, "shown", name))
        for name, task in _by_name(tasks).items()
    }
    _check_known("order", order, _ORDERS)
    check_counts(lessons_per_task=lessons_per_task, repeats=repeats)
    for name in (chosen := task_makers.listed(taught) if taught else tuple(table)):
        _check_known("task to teach", name, table)
    names = plans.shuffled(tuple(table), order_seed) if order == "shuffled" else tuple(table)
    arrange = plans.round_robin if interleave else plans.blocked
    lessons = arrange([name for name in names if name in chosen], lessons_per_task)
    plan = plans.repeated(lessons, repeats)
    if order == "mixed":
        plan = plans.shuffled(plan, order_seed)
        names = tuple(dict.fromkeys((*plan, *names)))
    ordered = {name: table[name] for name in names}
    return planned(
        ordered,
        plan,
        examples_per_lesson=examples_per_lesson,
        evaluate_every=evaluate_every,
        seed=seed,
    )


def planned(
    tasks: Mapping[str, types.Task],
    plan: plans.Plan,
    *,
    examples_per_lesson: int,
    evaluate_every: str,
    seed: int,
) -> ScheduledStream:
    """Return the stream that teaches as `plan` says; raises as `sequence` does."""
    _check_known("evaluation period", evaluate_every, _EVALUATION_PERIODS)
    check_counts(examples_per_lesson=examples_per_lesson)
    return ScheduledStream(tasks, plan, examples_per_lesson, evaluate_every, seed)


def scheduled(
    source: Callable[..., Iterable[types.Task]], **defaults: Any
) -> Callable[..., ScheduledStream]:
    """Turn a factory of tasks into a factory of streams that also takes the options of `sequence`.

    A parameter called `seed` or `order_seed` is passed to both; `defaults` replace those of
    `sequence`. The stream factory takes keywords only and raises StreamError where one is missing
    or unknown.
    """
    own = hints.signature(source).parameters
    shared = {
        name: parameter.replace(default=defaults.get(name, parameter.default))
        for name, parameter in hints.signature(sequence).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    merged = [*own.values(), *(p for name, p in shared.items() if name not in own)]
    signature = inspect.Signature([p.replace(kind=p.KEYWORD_ONLY) for p in merged])

    @functools.wraps(source)
    def factory(**options: Any) -> ScheduledStream:
        try:
            signature.bind(**options)
        except TypeError as error:
            raise errors.StreamError(f"stream options: {error}") from error
        tasks = source(**{k: v for k, v in options.items() if k in own})
        return sequence(tasks, **defaults | {k: v for k, v in options.items() if k in shared})

    factory.__signature__ = signature  # type: ignore[attr-defined]
    return factory


def check_counts(**counts: int) -> None:
    """Raise StreamError that names the first option which is not a positive integer."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise errors.StreamError(f"{name} must be a positive integer, got {count!r}")


def _by_name(tasks: Iterable[types.Task]) -> dict[str, types.Task]:
    """Return the tasks by name; raise StreamError for none, equal names, and unusable splits."""
    if not isinstance(tasks, Iterable):
        raise errors.StreamError(f"a stream is made of tasks, not of {reprlib.repr(tasks)}")
    table: dict[str, types.Task] = {}
    for task in tasks:
        check_task(task)
        if task.name in table:
            raise errors.StreamError(f"two tasks are called {task.name!r}")
        table[task.name] = task
    if not table:
        raise errors.StreamError("a stream needs at least one task")
    return table


def check_task(task: Any) -> None:
    """Raise StreamError for anything but a task, empty splits, and splits that share something.

    Answers and rewards are remembered by id: of two examples with one id the second would be given
    those of the first. And a question that is in two splits makes the test one of memory.
    """
    if not isinstance(task, types.Task):
        raise errors.StreamError(f"a stream is made of tasks, not of {reprlib.repr(task)}")
    if not isinstance(task.name, str) or not _FOLDER_NAME.fullmatch(task.name):
        raise errors.StreamError(
            f"a task cannot be called {task.name!r}: no slashes, no dot at the beginning, not empty"
        )
    if not isinstance(task.seed_prompt, types.Prompt):
        raise errors.StreamError(
            f"task {task.name!r}: seed_prompt must be a fastslow.types.Prompt, got "
            f"{reprlib.repr(task.seed_prompt)} (see tasks.make, which takes an instruction)"
        )
    parts = {"training": task.train, "validation": task.validation, "test": task.test}
    known: dict[str, Any] = {}
    split_of: dict[str, str] = {}  # question -> the split it is in
    for name, split in parts.items():
        if not len(split):
            raise errors.StreamError(f"task {task.name!r} has no {name} examples")
        for item in split:
            _check_item(task.name, item)
            identity = getattr(item, "id", None)  # the items of vector splits have none
            if identity is not None and known.setdefault(identity, item) is not item:
                raise errors.StreamError(
                    f"task {task.name!r} has two examples with the id {identity!r}: make those of "
                    "all splits by one call of tasks.examples, or number them yourself"
                )
            if isinstance(item, types.Example):
                question = splits.normalised_input(item)
                if (other := split_of.setdefault(question, name)) != name:
                    raise errors.StreamError(
                        f"task {task.name!r}: the {name} example {item.id!r} asks what a {other} "
                        "example asks: splits must have no question in common"
                    )


def check_events(stream: types.Stream) -> None:
    """Raise StreamError unless events are numbered, of the stream's tasks, and as many each time.

    They are read to plan, to run and to resume: a generator that is kept would be empty by then.
    """
    events: list[Any] = list(stream.events())
    held = functools.cache(lambda name: _held(stream.tasks[name]))
    for index, event in enumerate(events):
        names: tuple[str, ...]
        match event:
            case types.Lesson():
                names = (event.task_name,)
            case types.EvaluationPoint():
                names = event.tasks
            case _:
                raise errors.StreamError(
                    f"event {index} is {reprlib.repr(event)}, neither Lesson nor EvaluationPoint"
                )
        if event.index != index:
            raise errors.StreamError(
                f"event {index} has the index {event.index}: events are numbered from 0"
            )
        for name in names:
            _check_known(f"task of event {index}", name, stream.tasks)
        if isinstance(event, types.Lesson):
            _check_lesson(event, held(event.task_name))
    again = sum(1 for _ in stream.events())
    if not events or again != len(events):
        raise errors.StreamError(
            f"events() gave {len(events)} events, and {again} when it was called again: it must "
            "give the same ones, at least one, each time"
        )


class _Held(NamedTuple):
    """The items of a task that lessons are checked against."""

    by_id: Mapping[str, types.Example]  # of training and validation
    tested: frozenset[str]  # questions


def _held(task: types.Task) -> _Held:
    learned = (i for i in (*task.train, *task.validation) if isinstance(i, types.Example))
    tested = (i for i in task.test if isinstance(i, types.Example))
    return _Held({i.id: i for i in learned}, frozenset(map(splits.normalised_input, tested)))


def _check_lesson(lesson: types.Lesson, held: _Held) -> None:
    """Raise StreamError for a lesson without examples, of test items, or with an id used twice."""
    about = f"event {lesson.index}, a lesson of {lesson.task_name!r},"
    if not len(lesson.examples):
        raise errors.StreamError(f"{about} has no examples")
    own: dict[str, types.Example] = {}
    for item in lesson.examples:
        if not isinstance(item, types.Example):
            continue
        if splits.normalised_input(item) in held.tested:
            raise errors.StreamError(f"{about} teaches the test item {item.id!r}")
        known = held.by_id.get(item.id, own.setdefault(item.id, item))
        if item != known:
            raise errors.StreamError(f"{about} has another example with the id {item.id!r}")


def _check_item(task_name: str, item: Any) -> None:
    """Raise StreamError for an example whose fields are of other types, or that is a dict."""
    if isinstance(item, dict):
        raise errors.StreamError(
            f"task {task_name!r}: {reprlib.repr(item)} is a dict, make it a fastslow.types.Example"
        )
    if not isinstance(item, types.Example):
        return
    for field, hint in _EXAMPLE_HINTS.items():
        value = getattr(item, field)
        if not hints.matches(value, hint):
            raise errors.StreamError(
                f"task {task_name!r}, example {item.id!r}: {field} must be {hints.name(hint)}, "
                f"got {reprlib.repr(value)}"
            )


def _check_known(kind: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise registry.unknown(kind, name, known)
