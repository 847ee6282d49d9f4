"""Named plug-ins: a table per kind, helpful errors, `package.module:attribute` for one's own."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import reprlib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from fastslow import errors, hints

T = TypeVar("T")


class UnknownNameError(errors.UserError, ValueError):
    """A name or option that is not known; the message suggests the nearest and lists the rest."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Build the error for an unknown `name`: it suggests the nearest and lists the `known`."""
    names = sorted(known)
    near = nearest(name, names)
    hint = f"; did you mean {near!r}?" if near else "."
    return UnknownNameError(f"unknown {kind} {name!r}{hint} Known: {', '.join(names) or '(none)'}.")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the `known` name that `name` may be a misspelling of."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), None)


def import_attribute(path: str) -> Any:
    """Import `package.module:attribute`; raise UnknownNameError that says which half is missing."""
    module_name, _, attribute = path.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        name = re.sub(r"\W+", ".", module_name.removesuffix(".py")).strip(".")
        told = f"{module_name!r} is no module's name (from {path!r})"
        raise UnknownNameError(f"{told}; did you mean '{name}:{attribute}'?")
    try:
        with errors.during(f"importing {module_name!r} for {path!r}"):
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module was found; something it imports was not
        raise UnknownNameError(f"no module named {module_name!r} (from {path!r})") from error
    if not hasattr(module, attribute):
        public = [name for name in vars(module) if not name.startswith("_")]
        raise unknown(f"attribute of {module_name}", attribute, public)
    return getattr(module, attribute)


class OptionError(errors.UserError, TypeError):
    """A plug-in was not given an option that has no default, or one of another type."""


class PluginError(errors.UserError, TypeError):
    """A factory of one's own failed, or made something else than a plug-in of its kind."""


class Registry(Generic[T]):
    """An immutable table name -> factory of one kind of plug-in, all of which are a `makes`.

    Parameters called as one of the `context` are not options: the program gives them.
    """

    def __init__(
        self,
        kind: str,
        factories: Mapping[str, Callable[..., T]],
        makes: Any = object,
        context: Iterable[str] = (),
    ):
        self.kind = kind
        self._factories = dict(factories)
        self._makes = makes
        self._context = frozenset(context)

    def __iter__(self) -> Iterator[str]:
        return iter(self._factories)

    def get(self, name: str) -> Callable[..., T]:
        """Return the factory called `name`, or import it if `name` reads `module:attribute`."""
        if ":" in name:
            factory: Callable[..., T] = import_attribute(name)
            if not callable(factory):
                raise UnknownNameError(f"{name!r} is {factory!r}, which makes no {self.kind}")
            return factory
        if name not in self._factories:
            module, _, attribute = name.rpartition(".")
            own = all(part.isidentifier() for part in (*module.split("."), attribute))
            hint = f" One's own is named {module}:{attribute}." if own else ""
            raise UnknownNameError(f"{unknown(self.kind, name, self._factories)}{hint}")
        return self._factories[name]

    def options(self, name: str) -> set[str] | None:
        """Return the parameters the factory takes beside the context; None if it takes any."""
        parameters = inspect.signature(self.get(name)).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return None
        return set(parameters) - self._context

    def defaults(self, name: str) -> dict[str, Any]:
        """Return the options that have a default, with it."""
        parameters = inspect.signature(self.get(name)).parameters.values()
        return {
            p.name: p.default
            for p in parameters
            if p.default is not p.empty and p.name not in self._context
        }

    def build(self, name: str, options: Mapping[str, Any] | None = None, **context: Any) -> T:
        """Call the factory with the user's `options` and the program's `context`.

        Options are checked by name and against annotations; of the context the factory gets what
        its signature asks for. Raises UnknownNameError, OptionError and PluginError.
        """
        factory, options = self.get(name), dict(options or {})
        known = self.options(name)
        for option in options:
            if known is not None and option not in known:
                raise unknown(f"option of {self.kind} {name!r}", option, known)
        parameters = hints.signature(factory).parameters
        wanted = {k: v for k, v in context.items() if known is None or k in parameters}
        for parameter in parameters.values():
            if parameter.name in options:
                self._check(name, parameter, options[parameter.name])
            elif parameter.name not in wanted and _is_required(parameter):
                raise OptionError(f"{self.kind} {name!r} needs the option {parameter.name!r}")
        try:
            made = factory(**wanted, **options)
        except Exception as error:
            if name in self._factories or isinstance(error, errors.UserError):
                raise
            raise PluginError(
                f"{name!r} raised {type(error).__name__}: {error} ({_place(error, factory)})"
            ) from error
        if not isinstance(made, self._makes):
            raise PluginError(
                f"{name!r} made {reprlib.repr(made)}, which is no {self.kind}: it must return "
                f"{hints.name(self._makes)}"
            )
        return made

    def _check(self, name: str, parameter: inspect.Parameter, value: Any) -> None:
        """Raise OptionError for a value that is not what the parameter's annotation says."""
        if not hints.matches(value, parameter.annotation):
            raise OptionError(
                f"option {parameter.name!r} of {self.kind} {name!r} must be "
                f"{hints.name(parameter.annotation)}, got {value!r}"
            )

    def describe(self) -> list[tuple[str, str]]:
        """Return (name, first docstring line) of every entry."""
        return [
            (name, (inspect.getdoc(factory) or "").partition("\n")[0])
            for name, factory in self._factories.items()
        ]


def _place(error: Exception, factory: Callable[..., Any]) -> str:
    """Return "file:line" of the factory's own line that failed, or of where the error was."""
    frames = traceback.extract_tb(error.__traceback__)
    try:
        source = inspect.getsourcefile(inspect.unwrap(factory))
    except TypeError:  # a partial or another object that is called
        source = None
    *_, where = [frame for frame in frames if frame.filename == source] or frames
    return f"{where.filename}:{where.lineno}"


def _is_required(parameter: inspect.Parameter) -> bool:
    variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not variadic
