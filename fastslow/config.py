"""The border between untyped flags and the program: mappings become frozen dataclasses, once."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from fastslow import errors, hints, registry

T = TypeVar("T")


class ConfigError(errors.UserError, ValueError):
    """A configuration value of the wrong type or out of range; the message names its path."""


@dataclasses.dataclass(frozen=True)
class Plugin:
    """A registered name with the options its factory takes; None in a mapping is not set."""

    name: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How test splits are scored and drift is measured."""

    temperature: float = 0.0  # 0 is greedy
    samples: int = 1  # mean@k: k samples per test item; more than 1 need a temperature
    max_tokens: int = 8  # a longer answer is cut, ends in …, and matches nothing
    drift_examples: int = (
        8  # validation items per task in the fixed drift probe set; 0 turns it off
    )
    probe_examples: int = 24  # validation items that schedulers which probe measure gains on

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that leave nothing to measure, or measure it twice."""
        least = {"temperature": 0, "samples": 1, "max_tokens": 1, "drift_examples": 0}
        for name, bound in {**least, "probe_examples": 1}.items():
            if getattr(self, name) < bound:
                raise ConfigError(
                    f"evaluation.{name} must be at least {bound}, got {getattr(self, name)}"
                )
        if self.samples > 1 and self.temperature == 0:
            raise ConfigError(
                f"evaluation.samples={self.samples} greedy answers are the same answer: "
                "set evaluation.temperature above 0, or samples to 1"
            )


@dataclasses.dataclass(frozen=True)
class Run:
    """Everything that determines a run's result, apart from code, data and machine."""

    seed: int
    order_seed: int
    model: Plugin
    stream: Plugin
    scheduler: Plugin
    fast: Plugin
    slow: Plugin
    evaluation: Evaluation

    def __post_init__(self) -> None:
        """Raise ConfigError for a seed of more than 32 bits, of which JAX would drop some."""
        for name in ("seed", "order_seed"):
            if not 0 <= getattr(self, name) < 2**32:
                raise ConfigError(f"{name} must be from 0 to 2**32 - 1, got {getattr(self, name)}")


def from_mapping(cls: type[T], mapping: Mapping[str, Any], path: str = "") -> T:
    """Build the (possibly nested) dataclass `cls`; raise on unknown keys and wrong types.

    A `Plugin` field is written flat in the mapping: `{"name": "lora", "rank": 8}`. Ints are
    accepted for floats, lists for tuples. Missing keys take the dataclass's default; a missing key
    without default is an error.
    """
    wanted = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            raise registry.unknown("configuration key", f"{path}{key}", [path + n for n in fields])
    values = {}
    for name, field in fields.items():
        if name in mapping:
            values[name] = _convert(mapping[name], wanted[name], f"{path}{name}")
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"configuration key {path}{name} is missing")
    return cls(**values)


def configured(make: Callable[[Any, Any], T], settings: type) -> Callable[..., T]:
    """Return `make(settings, context)` as a registry factory with the settings' fields as options.

    The factory takes the fields as keywords, checked by `from_mapping`, and `context`.
    """

    @functools.wraps(make)
    def factory(*, context: Any, **options: Any) -> T:
        return make(from_mapping(settings, options), context)

    fields = inspect.signature(settings).parameters.values()
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY)
    keywords = [field.replace(kind=inspect.Parameter.KEYWORD_ONLY) for field in fields]
    factory.__signature__ = inspect.Signature([*keywords, context])  # type: ignore[attr-defined]
    return factory


def _convert(value: Any, hint: Any, path: str) -> Any:
    if hint is Plugin:
        return _plugin(value, path)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path} must be a mapping, got {value!r}")
        return from_mapping(hint, value, f"{path}.")
    if not hints.matches(value, hint):
        raise ConfigError(f"{path} must be {hints.name(hint)}, got {value!r}")
    return _plain(value, hint)


def _plugin(value: Any, path: str) -> Plugin:
    if isinstance(value, str):
        return Plugin(value)
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ConfigError(f"{path} must be a mapping with a 'name', got {value!r}")
    options = {k: _thaw(v) for k, v in value.items() if k != "name" and v is not None}
    return Plugin(value["name"], options)


def _plain(value: Any, hint: Any) -> Any:
    if hint is float:
        return float(value)
    if isinstance(value, list):
        return tuple(value)
    return _thaw(value)


def _thaw(value: Any) -> Any:
    """Turn ConfigDicts and other mappings into plain dicts, and lists into tuples."""
    if isinstance(value, Mapping):
        return {k: _thaw(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_thaw(v) for v in value)
    return value


def to_json(run: Run) -> dict[str, Any]:
    """Return the flat mapping that `from_mapping(Run, ...)` inverts, in strict-JSON values."""
    encoded: dict[str, Any] = plain(run)
    return encoded


def fingerprint(run: Run) -> str:
    """Return eight hexadecimal digits, the same for the same configuration and only then."""
    content = json.dumps(to_json(run), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:8]


def plain(value: Any) -> Any:
    """Return dataclasses, plug-ins and tuples as nested dicts and lists."""
    if isinstance(value, Plugin):
        return {"name": value.name, **plain(value.options)}
    if dataclasses.is_dataclass(value):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def walk(section: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ("a.b", value) for every key of nested mappings, a section before what it holds."""
    for key, value in section.items():
        yield f"{path}{key}", value
        if isinstance(value, Mapping):
            yield from walk(value, f"{path}{key}.")


def leaves(section: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield ("a.b", value) for every key of nested mappings that holds no other key."""
    for key, value in walk(section):
        if not isinstance(value, Mapping) or not value:
            yield key, value


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """List "path: old -> new" for every leaf in which two JSON configurations differ."""
    found = []
    for key in sorted({*old, *new}):
        left, right = old.get(key), new.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            found += differences(left, right, f"{path}{key}.")
        elif left != right:
            found.append(f"{path}{key}: {left!r} -> {right!r}")
    return found
