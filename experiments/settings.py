"""From absl flags to one frozen `config.Run`, with errors a person can act on."""

from __future__ import annotations

import copy
import functools
import operator
import pathlib
import runpy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import ml_collections
from absl import flags
from ml_collections import config_flags

from fastslow import config, registry, scheduler, session, streams
from fastslow.fast import channel


class Reflection(NamedTuple):
    """A second language model that proposes instructions, if `model` is not None."""

    model: str | None
    api_base: str | None


def resolve(
    flag: str,
    *,
    test: bool,
    names: Mapping[str, str | None],
    seeds: Mapping[str, int | None],
    reflection: Reflection,
    overrides: Mapping[str, Any],
    note: Callable[[str], None],
) -> config.Run:
    """Return the configuration: the file, then --config.* and `overrides`, then the named flags.

    A plug-in named by a flag keeps the file's options that it knows; the others are dropped, since
    they belong to the plug-in it replaces, and `note` is told so if the user named the file. An
    order seed that would change nothing is left out. Options that were asked for must be those of
    the plug-in.
    """
    written = _written(flag, test)
    overridden = {**config_flags.get_override_values(flags.FLAGS[flag]), **overrides}
    mapping = _overridden(written, overridden).to_dict()
    for section, chosen in names.items():
        old = mapping[section]
        name = chosen or old["name"]
        known = session.option_names(section, name, old)
        if known is None:  # a factory of the user's that takes anything
            mapping[section] = {**old, "name": name}
            continue
        keys = {k.split(".")[1] for k in overridden if k.startswith(f"{section}.")}
        for key in sorted(keys - {"name"} - known):
            raise registry.unknown(f"option of {section} {name!r}", key, known)
        if name != (replaced := written[section].name):
            told = note if flags.FLAGS[flag].present else _ignore
            if section == "stream":
                own = streams.content_options(replaced) | streams.content_options(name)
                old = {k: v for k, v in old.items() if k not in own - keys}
            mapping[section] = _replace(section, name, replaced, old, known, told)
    mapping.update({key: value for key, value in seeds.items() if value is not None})
    if mapping["order_seed"] and not _draws_an_order(mapping["stream"]):
        mapping["order_seed"] = 0
        note(
            f"note: the lessons of --stream={mapping['stream']['name']} come in the order given: "
            "order_seed changes nothing and is left out (see --config.stream.order=shuffled)"
        )
    policy = {key: value for key, value in mapping["scheduler"].items() if value is not None}
    # A policy's defaults are its method: a run says what they were when it was made.
    mapping["scheduler"] = {**scheduler.SCHEDULERS.defaults(policy["name"]), **policy}
    if reflection.model is None and reflection.api_base is not None:
        raise config.ConfigError("--reflection_api_base needs --reflection_lm, the model it serves")
    if reflection.model is not None:
        _add_reflection(mapping["fast"], reflection)
    return config.from_mapping(config.Run, mapping)


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


def _add_reflection(fast: dict[str, Any], reflection: Reflection) -> None:
    """Add the reflection proposer to the mixture, with as much weight as all others together."""
    if fast["name"] != "gepa":
        raise config.ConfigError(f"--reflection_lm needs --fast=gepa, not {fast['name']!r}")
    others = {**(fast.get("proposers") or channel.Settings().proposers)}
    configured = others.pop("reflection", {})
    weight = sum(float(options.get("weight", 1.0)) for options in others.values())
    given = {key: value for key, value in reflection._asdict().items() if value is not None}
    fast["proposers"] = {**others, "reflection": {"weight": weight, **configured, **given}}


def _written(flag: str, test: bool) -> ml_collections.ConfigDict:
    """Return the configuration as its file makes it, without what --config.* sets."""
    path, *argument = config_flags.get_config_filename(flags.FLAGS[flag]).split(":", 1)
    if not pathlib.Path(path).is_file():
        there = pathlib.Path(path).is_dir()
        what = "this is a folder, not a file" if there else "there is no such file"
        raise config.ConfigError(f"--{flag}={path}: {what}")
    name = "get_test_config" if test else "get_config"
    make = runpy.run_path(path).get(name)
    if make is None:
        raise config.ConfigError(f"{path} has no {name}()")
    made: ml_collections.ConfigDict = make(*argument)
    return made


def _replace(
    section: str,
    name: str,
    replaced: str,
    old: Mapping[str, Any],
    known: set[str],
    note: Callable[[str], None],
) -> dict[str, Any]:
    dropped = [k for k, v in old.items() if v is not None and k != "name" and k not in known]
    if dropped and known:  # a null plug-in takes nothing, and nobody expects it to
        note(
            f"note: --{section}={name} does not take {', '.join(dropped)} "
            f"(of {replaced} in the configuration); left out"
        )
    return {"name": name} | {key: old[key] for key in old if key in known}


def default_workdir(flag: str, run: config.Run) -> str:
    """Return a name under runs/ that is the same for the same configuration, and only then."""
    stem = pathlib.Path(config_flags.get_config_filename(flags.FLAGS[flag])).stem
    return f"runs/{stem}-{run.scheduler.name}-seed{run.seed}-{config.fingerprint(run)}"
