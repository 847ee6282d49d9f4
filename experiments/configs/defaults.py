"""Every option of every part at its default, so that any of them can be set by a flag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ml_collections
from ml_collections import config_dict

from fastslow import config, scheduler, streams
from fastslow.fast import settings as fast_settings
from fastslow.learners import language
from fastslow.slow import adapters


def get_config() -> ml_collections.ConfigDict:
    """Return Fast-Slow Training of SmolLM2-135M on the default tasks, all else at its default."""
    found = ml_collections.ConfigDict()
    found.seed = 0
    found.order_seed = 0
    found.model = {"name": "smollm2-135m-instruct", "dtype": "auto"}
    found.stream = _for_flags(stream("evals_short"), map(stream, streams.STREAMS))
    found.scheduler = _for_flags(policy("interleave"), map(policy, scheduler.SCHEDULERS))
    found.fast = section("gepa", fast_settings.Settings())
    found.slow = section("lora", language.Gradient()) | adapters.ADAPTERS.defaults("lora")
    found.evaluation = _open(config.plain(config.Evaluation()))
    return found


def stream(name: str) -> dict[str, Any]:
    """Return a registered stream with the options that have a default."""
    return {"name": name, **streams.STREAMS.defaults(name)}


def _for_flags(own: Mapping[str, Any], every: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a plug-in's section with the options of every plug-in of its kind, for flags.

    Options that it does not have, and those whose defaults are not the same for all, are
    placeholders, which count as not set; several names are a text with commas between.
    """
    found, others = dict(own), list(every)
    for key in {key for options in others for key in options} - {"name"}:
        defaults = [options[key] for options in others if key in options]
        if key not in found or any(default != found[key] for default in defaults):
            kind = str if isinstance(defaults[0], tuple) else type(defaults[0])
            found[key] = config_dict.placeholder(kind)
    return found


def policy(name: str) -> dict[str, Any]:
    """Return a registered scheduler with the options that have a default."""
    return {"name": name, **scheduler.SCHEDULERS.defaults(name)}


def section(name: str, settings: Any) -> dict[str, Any]:
    """Return a plug-in's section: its name and the fields of its settings dataclass."""
    return {"name": name, **_open(config.plain(settings))}


def _open(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Replace None by a placeholder that a flag can fill with a number."""
    return {
        key: config_dict.placeholder(float) if value is None else value
        for key, value in fields.items()
    }
