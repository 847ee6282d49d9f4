"""Task streams: where lessons come from, and when what is evaluated."""

from __future__ import annotations

import inspect
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from fastslow import registry, types
from fastslow.streams import errors, evals_short, jsonl, reasoning_gym

STREAMS: registry.Registry[types.Stream] = registry.Registry(
    "stream",
    {
        "evals_short": evals_short.stream,
        "jsonl": jsonl.stream,
        "reasoning_gym": reasoning_gym.stream,
    },
)


def build(
    spec: str, options: Mapping[str, Any] | None = None, *, seed: int = 0, order_seed: int = 0
) -> types.Stream:
    """Build the stream that `spec` names, see `resolve`.

    The factory gets `seed` and `order_seed` if its signature has them. Raises
    registry.UnknownNameError for unknown names and options, errors.StreamError for what cannot be
    built, and what the user's own factory raises.
    """
    name, implied = resolve(spec)
    stream = STREAMS.build(name, {**implied, **(options or {})}, seed=seed, order_seed=order_seed)
    if not isinstance(getattr(stream, "tasks", None), Mapping) or not hasattr(stream, "events"):
        raise errors.StreamError(
            f"{spec!r} made {type(stream).__name__}, which is no stream: it needs a mapping `tasks`"
            " and a method `events` (see fastslow.streams.schedule.scheduled)"
        )
    return stream


def resolve(spec: str) -> tuple[str, dict[str, Any]]:
    """Return the factory's name (for STREAMS) and the options that are part of the spec.

    A spec is a registered name, a registered name with its first option (`reasoning_gym:chain_sum`,
    `jsonl:data/mine`), the path of a folder (of JSONL files), or `package.module:factory`.
    """
    name, colon, argument = spec.partition(":")
    if colon and name in STREAMS:
        first = next(iter(inspect.signature(STREAMS.get(name)).parameters))
        return name, {first: argument}
    if not colon and name not in STREAMS and (os.sep in spec or pathlib.Path(spec).is_dir()):
        return "jsonl", {"path": spec}
    return spec, {}
