"""A task that a run did not teach, to try its weights on, and the prompt to ask it with."""

from __future__ import annotations

import dataclasses
import pathlib
import random
from collections.abc import Iterator, Mapping

from fastslow import registry, seeds, types
from fastslow.diagnostics import contracts
from fastslow.diagnostics import subject as subjects
from fastslow.fast import prompt as prompts
from fastslow.fast.proposers import demonstrations
from fastslow.streams import evals_short


@dataclasses.dataclass(frozen=True)
class Only:
    """A stream that is nothing but a task."""

    task: types.Task

    @property
    def tasks(self) -> Mapping[str, types.Task]:
        """The one task by its name."""
        return {self.task.name: self.task}

    def events(self) -> Iterator[types.Event]:
        """Yield nothing."""
        return iter(())


def task(subject: subjects.Subject, name: str, validation: int, test: int) -> types.Task:
    """Return the task called `name`, or by default the first that there is.

    Candidates are the tasks of the run's own stream that have no lesson in it, then the sets of
    `evals_short` whose name is no part of the name of a task of the run (which may ask the same
    questions in another form). `validation` and `test` cap or set the sizes of the splits. Raises
    UnknownNameError, and NotApplicableError where there is no candidate.
    """
    own, sets = candidates(subject)
    if name and name not in (*own, *sets):
        if name in subject.tasks:
            raise contracts.NotApplicableError(
                f"task {name!r} is taught by {subject.directory}: choose one that is not"
            )
        raise registry.unknown("held-out task", name, (*own, *sets))
    if not (*own, *sets):
        raise contracts.NotApplicableError(f"{subject.directory} teaches every task there is")
    chosen = name or (*own, *sets)[0]
    if chosen in own:
        found = subject.tasks[chosen]
    else:
        found = evals_short.stream(tasks=(chosen,), validation=validation, test=test).tasks[chosen]
    return dataclasses.replace(
        found, validation=found.validation[:validation], test=found.test[:test]
    )


def candidates(subject: subjects.Subject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of untaught tasks: of the run's own stream, and of `evals_short`."""
    events = subject.built.experiment.stream.events()
    taught = {event.task_name for event in events if isinstance(event, types.Lesson)}
    own = tuple(name for name in subject.tasks if name not in taught)
    ordered = dict.fromkeys((*evals_short.DEFAULT, *evals_short.SETS))
    sets = (name for name in ordered if not any(name in known for known in subject.tasks))
    return own, tuple(sets)


def asked(found: types.Task, prompt: str, demos: int) -> types.Task:
    """Return the task with the prompt to ask it with, and without what it shows to train on.

    `prompt` is a Markdown file; "" stands for the seed prompt with `demos` training items as
    demonstrations, all answers covered, always the same ones. Raises NotApplicableError for a file
    that cannot be read, and where nothing would be left to train on.
    """
    if prompt:
        return dataclasses.replace(found, seed_prompt=_read(pathlib.Path(prompt)))
    rng = random.Random(seeds.derive(0, "held-out", found.name))
    shown = demonstrations.covering(found.train, demos, rng)
    showing = found.seed_prompt._replace(demos=tuple(prompts.demo(example) for example in shown))
    left = tuple(example for example in found.train if example not in shown)
    if not left:
        raise contracts.NotApplicableError(
            f"task {found.name!r} has {len(found.train)} training examples, too few to show "
            f"{demos} and train on the others: show fewer, or give a prompt"
        )
    return dataclasses.replace(found, seed_prompt=showing, train=left)


def _read(path: pathlib.Path) -> types.Prompt:
    try:
        return prompts.from_markdown(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise contracts.NotApplicableError(f"{path} is no prompt: {error}") from error
