"""From absl flags to one frozen `config.Run`, with errors a person can act on."""

from __future__ import annotations

import copy
import functools
import operator
import os
import pathlib
import runpy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import ml_collections
from absl import flags
from ml_collections import config_flags

from fastslow import config, registry, scheduler, session, streams
from fastslow.fast import settings as fast_settings


class Reflection(NamedTuple):
    """A second language model that proposes instructions, if `model` is not None."""

    model: str | None
    api_base: str | None


class Request(NamedTuple):
    """What flags say of a run beside its configuration file; None was not said."""

    test: bool  # take the file's get_test_config()
    names: Mapping[str, str | None]  # of plug-ins, by section
    seeds: Mapping[str, int | None]
    reflection: Reflection
    overrides: Mapping[str, Any]  # by key of the file, "section.key"


def resolve(flag: str, request: Request, note: Callable[[str], None]) -> config.Run:
    """Return the configuration: the file, then --config.* and the overrides, then the named flags.

    A plug-in named by a flag keeps the file's options that it knows; the others are dropped, since
    they belong to the plug-in it replaces, and `note` is told so if the user named the file. An
    order seed that would change nothing is left out. Options that were asked for must be those of
    the plug-in.
    """
    written = _written(flag, request.test)
    overridden = {**config_flags.get_override_values(flags.FLAGS[flag]), **request.overrides}
    mapping = _overridden(written, overridden).to_dict()
    told = note if flags.FLAGS[flag].present else _ignore
    if missing := [section for section in request.names if section not in written]:
        raise config.ConfigError(f"the configuration has no section {missing[0]!r}")
    for section, name in request.names.items():
        asked = {key.split(".")[1] for key in overridden if key.startswith(f"{section}.")}
        old, replaced = _named(mapping[section]), _named(written[section])["name"]
        wanted = old["name"] if name is None else name  # an empty name is an unknown one
        mapping[section] = _chosen(section, wanted, replaced, old, asked, told)
    mapping.update({key: value for key, value in request.seeds.items() if value is not None})
    if mapping["order_seed"] and not _draws_an_order(mapping["stream"]):
        mapping["order_seed"] = 0
        note(
            f"note: the lessons of --stream={mapping['stream']['name']} come in the order given: "
            "order_seed changes nothing and is left out (see --config.stream.order=shuffled)"
        )
    mapping["scheduler"] = _with_defaults(mapping["scheduler"])
    mapping["fast"] = _with_reflection(mapping["fast"], request.reflection)
    return config.from_mapping(config.Run, mapping)


def _named(section: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of a file as a mapping; a plug-in without options may be its name alone."""
    return {"name": section} if isinstance(section, str) else dict(section)


def _chosen(
    section: str,
    name: str,
    replaced: str,
    old: Mapping[str, Any],
    asked: set[str],
    note: Callable[[str], None],
) -> dict[str, Any]:
    """Return the section of the plug-in `name`, of the `old` options those that it takes."""
    known = session.option_names(section, name, old)
    if known is None:  # a factory of the user's that takes anything
        return {**old, "name": name}
    for key in sorted(asked - {"name"} - known):
        raise registry.unknown(f"option of {section} {name!r}", key, known)
    if name == replaced:
        return dict(old)
    if section == "stream":
        own = streams.content_options(replaced) | streams.content_options(name)
        old = {key: value for key, value in old.items() if key not in own - asked}
    dropped = [k for k, v in old.items() if v is not None and k != "name" and k not in known]
    if dropped and known:  # a null plug-in takes nothing, and nobody expects it to
        note(
            f"note: --{section}={name} does not take {', '.join(dropped)} "
            f"(of {replaced} in the configuration); left out"
        )
    return {"name": name} | {key: old[key] for key in old if key in known}


def _with_defaults(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scheduler's section with the options that are not set at their defaults.

    They are its method: a run says what they were when it was made.
    """
    given = {key: value for key, value in policy.items() if value is not None}
    return {**scheduler.SCHEDULERS.defaults(given["name"]), **given}


def _draws_an_order(stream: Mapping[str, Any]) -> bool:
    options = {key: value for key, value in stream.items() if key != "name" and value is not None}
    return streams.draws_an_order(stream["name"], options)


def _ignore(text: str) -> None:
    pass


def keys(flag: str, *, test: bool) -> list[str]:
    """Return the path of every key of the configuration file: "seed", "slow.learning_rate"."""
    changed = config_flags.get_override_values(flags.FLAGS[flag])
    return list(_flattened(_overridden(_written(flag, test), changed)))


def _flattened(node: ml_collections.ConfigDict, path: str = "") -> Iterator[str]:
    for key, value in node.items():
        yield f"{path}{key}"
        if isinstance(value, ml_collections.ConfigDict):
            yield from _flattened(value, f"{path}{key}.")


def _overridden(
    loaded: ml_collections.ConfigDict, overrides: Mapping[str, Any]
) -> ml_collections.ConfigDict:
    """Return a copy with values set; those of existing keys keep their type."""
    copied = copy.deepcopy(loaded)
    for key, value in overrides.items():
        if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], str):
            value = tuple(word.strip() for word in value[0].split(","))  # as flags of lists do
        try:
            copied.update_from_flattened_dict({key: value})
        except KeyError as error:
            raise registry.unknown("configuration key", key, _flattened(loaded)) from error
        except TypeError as error:
            *parents, leaf = key.split(".")
            wanted = functools.reduce(operator.getitem, parents, copied).get_type(leaf).__name__
            hint = f"; a tuple is one value of a grid: ({value!r},)" if wanted == "tuple" else ""
            raise config.ConfigError(
                f"config.{key} must be {wanted}, got {value!r}{hint}"
            ) from error
    return copied


def _with_reflection(fast: Mapping[str, Any], reflection: Reflection) -> dict[str, Any]:
    """Add the reflection proposer to the mixture, with as much weight as all others together."""
    if reflection.model is None:
        if reflection.api_base is None:
            return dict(fast)
        raise config.ConfigError("--reflection_api_base needs --reflection_lm, the model it serves")
    if fast["name"] != "gepa":
        raise config.ConfigError(f"--reflection_lm needs --fast=gepa, not {fast['name']!r}")
    others = {**(fast.get("proposers") or fast_settings.Settings().proposers)}
    configured = others.pop("reflection", {})
    weight = sum(float(options.get("weight", 1.0)) for options in others.values())
    given = {key: value for key, value in reflection._asdict().items() if value is not None}
    return {
        **fast,
        "proposers": {**others, "reflection": {"weight": weight, **configured, **given}},
    }


def _written(flag: str, test: bool) -> ml_collections.ConfigDict:
    """Return the configuration as its file makes it, without what --config.* sets."""
    path, *argument = config_flags.get_config_filename(flags.FLAGS[flag]).split(":", 1)
    if not os.path.isfile(path):
        raise config.ConfigError(f"--{flag}={path}: {_no_file(path)}")
    name = "get_test_config" if test else "get_config"
    make = runpy.run_path(path).get(name)
    if make is None:
        raise config.ConfigError(f"{path} has no {name}()")
    made = make(*argument)
    if not isinstance(made, Mapping | ml_collections.ConfigDict):
        raise config.ConfigError(f"{path}: {name}() must return a ConfigDict, gave {made!r}")
    return ml_collections.ConfigDict(made)


def _no_file(path: str) -> str:
    if os.path.isdir(path):
        return "this is a folder, not a file"
    wanted = pathlib.Path(path)
    near = registry.nearest(wanted.name, (other.name for other in wanted.parent.glob("*.py")))
    return "there is no such file" + (f"; did you mean {wanted.with_name(near)}?" if near else "")


def default_workdir(flag: str, run: config.Run) -> str:
    """Return a name under runs/ that is the same for the same configuration, and only then."""
    stem = pathlib.Path(config_flags.get_config_filename(flags.FLAGS[flag])).stem
    return f"runs/{stem}-{run.scheduler.name}-seed{run.seed}-{config.fingerprint(run)}"
