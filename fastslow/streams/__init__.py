"""Task streams: where lessons come from, and when what is evaluated."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

from fastslow import registry, types
from fastslow.streams import (
    conflicting,
    conventions,
    errors,
    evals_short,
    flip_flop,
    jsonl,
    mixed,
    pi_lessons,
    pi_llm,
    reasoning_gym,
    recurring,
    schedule,
    skills,
)

_CONTEXT = ("seed", "order_seed")


def build(
    spec: str, options: Mapping[str, Any] | None = None, *, seed: int = 0, order_seed: int = 0
) -> types.Stream:
    """Build the stream that `spec` names, see `resolve`.

    The factory gets `seed` and `order_seed` if its signature has them. Raises
    registry.UnknownNameError for unknown names and options, registry.PluginError for a factory of
    one's own that fails, and errors.StreamError where it returns no stream, or one with unusable
    tasks or events, see `schedule.check_task` and `schedule.check_events`.
    """
    name, implied = resolve(spec)
    chosen = {**implied, **(options or {})}
    known = option_names(spec, chosen)
    for option in chosen:
        if known is not None and option not in known:
            raise registry.unknown(f"option of stream {name!r}", option, known)
    stream = STREAMS.build(name, chosen, seed=seed, order_seed=order_seed)
    if not isinstance(getattr(stream, "tasks", None), Mapping) or not hasattr(stream, "events"):
        raise errors.StreamError(
            f"{spec!r} made {type(stream).__name__}, which is no stream: it needs a mapping `tasks`"
            " and a method `events` (see fastslow.streams.schedule.scheduled)"
        )
    for task in stream.tasks.values():
        schedule.check_task(task)
    schedule.check_events(stream)
    return stream


def resolve(spec: str) -> tuple[str, dict[str, Any]]:
    """Return the factory's name (for STREAMS) and the options that are part of the spec.

    A spec is a registered name, a registered name with its first option (`reasoning_gym:chain_sum`,
    `jsonl:data/mine`), the path of a folder (of JSONL files), or `package.module:factory`.
    """
    name, colon, argument = spec.partition(":")
    if not name or (colon and not argument):
        raise registry.unknown("stream", spec, STREAMS)
    if colon and name in STREAMS:
        first = next(iter(inspect.signature(STREAMS.get(name)).parameters))
        return name, {first: argument}
    if not colon and name not in STREAMS and (os.sep in spec or os.path.exists(spec)):
        return "jsonl", {"path": spec}
    return spec, {}


def content_options(spec: str) -> set[str]:
    """Return the options that say what is in the stream of `spec`, of no other stream.

    These are the first one of its factory, and those that the spec itself gives.
    """
    name, implied = resolve(spec)
    return {*list(inspect.signature(STREAMS.get(name)).parameters)[:1], *implied}


def option_names(spec: str, options: Mapping[str, Any] | None = None) -> set[str] | None:
    """Return the options that the stream of `spec` takes; None = any.

    A stream that decorates another, which its option `stream` names (in the spec, in `options` or
    by default), takes those of the other too.
    """
    name, implied = resolve(spec)
    known = STREAMS.options(name)
    own = inspect.signature(STREAMS.get(name)).parameters
    if known is not None or "stream" not in own:
        return known
    inner = {"stream": own["stream"].default, **implied, **(options or {})}["stream"]
    others = option_names(inner)
    return None if others is None else others | {*own} - {"options", *_CONTEXT}


def draws_an_order(spec: str, options: Mapping[str, Any]) -> bool:
    """Return whether the order seed can change the stream of `spec` with these options.

    A stream made by `schedule.scheduled` draws from it in other orders than the given one, or in
    its tasks; one that takes no `order_seed` cannot; of any other nothing is known: it may.
    """
    factory = STREAMS.get(resolve(spec)[0])
    parameters = inspect.signature(factory).parameters
    if "order_seed" not in parameters or "order" not in parameters:
        return "order_seed" in parameters
    of_tasks = "order_seed" in inspect.signature(inspect.unwrap(factory)).parameters
    return of_tasks or options.get("order", parameters["order"].default) != "given"


STREAMS: registry.Registry[types.Stream] = registry.Registry(
    "stream",
    {
        "evals_short": evals_short.stream,
        "conventions": conventions.stream,
        "skills": skills.stream,
        "mixed": mixed.stream,
        "conflicting": conflicting.stream,
        "recurring": recurring.over(build),
        "pi_llm": pi_llm.stream,
        "pi_lessons": pi_lessons.stream,
        "flip_flop": flip_flop.stream,
        "jsonl": jsonl.stream,
        "reasoning_gym": reasoning_gym.stream,
    },
    context=_CONTEXT,
)
