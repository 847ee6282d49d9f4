"""One run from configuration to report: build the parts, restore or start, loop, write results."""

from __future__ import annotations

import hashlib
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastslow import (
    checkpoint,
    config,
    registry,
    run_directory,
    run_state,
    scheduler,
    streams,
    types,
)
from fastslow import run as loop
from fastslow.evaluation import constant
from fastslow.fast import templates
from fastslow.learners import language
from fastslow.lm import loading
from fastslow.report import happenings, progress, records, report, trackers


def run(
    settings: config.Run,
    directory: pathlib.Path,
    *,
    resume: bool,
    track: Sequence[str] = (),
    keep: int = checkpoint.KEEP,
) -> None:
    """Carry out a run in `directory`; raises errors.UserError for what the user can mend.

    `track` names live trackers (fastslow.report.trackers) that are told about it as it goes; `keep`
    is how many checkpoints stay (checkpoint.ALL: all).
    """
    encoded = config.to_json(settings)
    with run_directory.locked(directory):
        run_directory.check(directory, {"config": encoded}, resume)
        names = () if run_directory.is_done(directory) else track
        with (
            progress.for_terminal() as shown,
            trackers.opened(names, directory, encoded) as tracked,
        ):
            tell = happenings.broadcast([shown, *tracked])
            experiment, _, identity = build(settings, tell)
            run_directory.check(directory, identity, resume)
            if not run_directory.is_done(directory):
                state = restore(experiment, directory)  # refuses what `build` could not see
                wanted = {"config": encoded, **identity}
                events = sum(1 for _ in experiment.stream.events())
                if run_directory.is_begun(directory):
                    run_directory.note_resumption(directory, state.position)
                else:
                    run_directory.write_config(directory, wanted, events)
                carry_out(experiment, state, directory, tell, keep)
        report.show(directory)


class Built(NamedTuple):
    """What a configuration stands for."""

    experiment: loop.Experiment
    parts: language.Language  # of the experiment's learner
    identity: Mapping[str, types.Json]  # of data and weights, beside the configuration


def build(settings: config.Run, tell: happenings.Tell = happenings.silent) -> Built:
    """Load data and weights, and assemble the experiment; raises errors.UserError."""
    try:
        return _build(settings, tell)
    except ValueError as error:  # a value that a plug-in refuses
        raise config.ConfigError(str(error)) from error


def _build(settings: config.Run, tell: happenings.Tell) -> Built:
    stream = streams.build(
        settings.stream.name,
        settings.stream.options,
        seed=settings.seed,
        order_seed=settings.order_seed,
    )
    policy = scheduler.build(settings.scheduler.name, settings.scheduler.options)
    model = loading.load(settings.model.name, **settings.model.options)
    parts = language.assemble(settings, model, stream.tasks, tell)
    experiment = loop.Experiment(
        stream, language.learner_of(parts), policy, settings.evaluation, settings.seed
    )
    identity = {
        "model_digest": model.digest,
        "stream_digest": digest(stream),
        "plan_digest": plan_digest(stream),
        "template_digests": template_digests(settings.fast.options),
    }
    return Built(experiment, parts, identity)


def template_digests(fast: Mapping[str, Any]) -> dict[str, str]:
    """Return a hash of every template a proposer may use; raises ConfigError for a missing one."""
    proposers = fast.get("proposers") or {}
    given = [str(options.get("template", "")) for options in proposers.values()]
    try:
        return templates.hashes(name for name in given if name.endswith(".md"))
    except OSError as error:
        raise config.ConfigError(f"template {error.filename!r}: {error.strerror}") from error


def digest(stream: types.Stream) -> str:
    """Return a hash of every task's name, seed prompt and items, see `plan_digest` for the rest."""
    hashed = hashlib.sha256()
    for name, task in stream.tasks.items():
        hashed.update(repr((name, task.seed_prompt)).encode())
        for split in (task.train, task.validation, task.test):
            for example in split:
                hashed.update(repr(example).encode())
    return hashed.hexdigest()


def plan_digest(stream: types.Stream) -> str:
    """Return a hash of how the items are used: sizes of splits, scorers' names, and all events.

    Apart from `digest`: runs in another order are on the same data.
    """
    hashed = hashlib.sha256()
    for name, task in stream.tasks.items():
        sizes = [len(split) for split in (task.train, task.validation, task.test)]
        hashed.update(repr((name, sizes, _name(task.scorer))).encode())
    for event in stream.events():
        if isinstance(event, types.Lesson):
            head = (event.index, event.task_name, len(event.examples))
            hashed.update(repr((head, [*event.examples])).encode())
        else:
            hashed.update(repr(event).encode())
    return hashed.hexdigest()


def _name(scorer: types.Scorer) -> str:
    """Return where a scorer is defined; "" for one that has no name of its own there."""
    name = getattr(scorer, "__qualname__", "<")
    return "" if "<" in name else f"{scorer.__module__}.{name}"


def carry_out(
    experiment: loop.Experiment,
    state: run_state.RunState,
    directory: pathlib.Path,
    tell: happenings.Tell,
    keep: int = checkpoint.KEEP,
) -> None:
    """Run all remaining events and the quadrants, write the report, and mark the run done."""
    events = list(experiment.stream.events())
    records.truncate_after(directory, state.position)
    checkpoint.discard_after(directory, state.position, keep=keep)
    tell(happenings.RunStarted(events, state.position))
    describe_tasks(experiment.stream, directory)
    state = loop.run(experiment, state, directory, tell, keep)
    started = time.monotonic()
    known = records.known_quadrants(directory, experiment.stream.tasks)
    scores, cost = loop.quadrants(experiment, state, known)
    records.append(directory, records.quadrants_row(scores, cost), time.monotonic() - started)
    report.write(directory)
    run_directory.mark_done(directory)


def describe_tasks(stream: types.Stream, directory: pathlib.Path) -> None:
    """Record the tasks' kinds and best constant answers, unless they are recorded already."""
    if records.of_kind(records.read(directory), "tasks"):
        return
    started = time.monotonic()
    kinds = {name: task.kind for name, task in stream.tasks.items()}
    constants = {name: constant.best(task) for name, task in stream.tasks.items()}
    records.append(directory, records.tasks_row(kinds, constants), time.monotonic() - started)


def restore(experiment: loop.Experiment, directory: pathlib.Path) -> run_state.RunState:
    """Return the state of the newest valid checkpoint, or the initial one if there is none.

    Raises RunDirectoryError where only checkpoints are left that records.jsonl does not reach, as
    the metrics of what would go on from there would lack the lost rows, and where none is left.
    """
    recorded = records.complete(directory)
    position = checkpoint.latest(directory, at_most=recorded)
    if position is None:
        if beyond := [event for event in checkpoint.events(directory) if event > recorded]:
            raise run_directory.RunDirectoryError(
                f"{records.path_of(directory)} has lost rows: it is complete up to event {recorded}"
                f" of the {beyond[0]} before the oldest checkpoint. Restore it from a copy, or "
                "start afresh with another --workdir"
            )
        if recorded > 1:  # of one event there may be no checkpoint yet
            raise run_directory.RunDirectoryError(
                f"{directory} has records of {recorded} events and no intact checkpoint to go on "
                "from. Restore its checkpoints from a copy, or start afresh with another --workdir"
            )
        return run_state.init(experiment.learner, experiment.scheduler, experiment.seed)
    return restore_at(experiment, directory, position)


def restore_at(
    experiment: loop.Experiment, directory: pathlib.Path, position: int
) -> run_state.RunState:
    """Return the state after `position` events; raises CheckpointError."""
    fresh = run_state.init(experiment.learner, experiment.scheduler, experiment.seed)
    target = run_state.save(fresh, experiment.learner).arrays
    return run_state.restore(checkpoint.restore(directory, position, target), experiment.learner)


def option_names(section: str, name: str, options: Mapping[str, Any]) -> set[str] | None:
    """Return the options that plug-in `name` of a configuration section takes; None for any.

    `options` are those that are given, as far as they say what others there are.
    """
    if section == "stream":
        return streams.option_names(name, {k: v for k, v in options.items() if v is not None})
    if section == "model":
        return loading.option_names(name)
    kinds: Mapping[str, registry.Registry] = {
        "scheduler": scheduler.SCHEDULERS,
        "fast": language.FAST_CHANNELS,
        "slow": language.SLOW_CHANNELS,
    }
    return kinds[section].options(name)
