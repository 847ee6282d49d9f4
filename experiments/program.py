"""What every program does: refuse stray words, and print expected errors as one line."""

from __future__ import annotations

import contextlib
import io
import pathlib
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence

from absl import app, flags, logging

from fastslow import config, errors, files

_MAPPINGS = ("slow.anchors", "fast.proposers")


def reject_arguments(argv: Sequence[str]) -> None:
    """Raise UsageError if words are left over after the flags: they would be ignored silently."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; every setting is a --flag=value")


def folder(value: str, flag: str) -> pathlib.Path:
    """Return the path that a flag gives; raises ConfigError for an empty one.

    A `~` is the home directory: shells leave that of --flag=~/folder as it is.
    """
    if not value:
        raise config.ConfigError(f"--{flag} is empty: name a folder, or leave it out")
    return files.at(value)


@contextlib.contextmanager
def telling_config_errors() -> Iterator[None]:
    """Tell in one line, and exit, that a configuration has no such key or cannot be read."""
    try:
        yield
    except (AttributeError, KeyError, OSError) as error:
        match error:
            case OSError():
                message = str(error)
            case AttributeError(args=(KeyError(args=(str(told),)),)) | KeyError(args=(str(told),)):
                if _is_of_a_file(error):
                    raise
                message = f"unknown configuration key {told}{_hint(sys.argv)}"
            case _:
                raise
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        raise SystemExit(2) from error


def _hint(arguments: Sequence[str]) -> str:
    """Return how to set what stands inside one of the options that are mappings of plug-ins."""
    for path in _MAPPINGS:
        if any(argument.startswith(f"--config.{path}.") for argument in arguments):
            return f"; {path} is one value: --config.{path}=\"{{'NAME': {{'OPTION': 0.1}}}}\""
    return ""  # the message suggests the nearest


def _is_of_a_file(error: Exception) -> bool:
    """Whether the mistake is in a configuration file, not in what a flag asks of it."""
    frames = traceback.extract_tb(error.__traceback__)
    return frames[-1].name == "<module>" or any(frame.name == "get_config" for frame in frames)


def warning_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Return our own warnings as one line, as errors are; those of libraries with their place."""
    if category is UserWarning:
        return f"warning: {message}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"


def run_main(
    main: Callable[[Sequence[str]], None],
    interrupted: str = "--resume goes on from the last completed event",
) -> None:
    """Run an absl main; print expected errors as one line without a traceback, exit status 2.

    `interrupted` says what to do after Ctrl-C.
    """

    def guarded(argv: Sequence[str]) -> int:
        try:
            main(argv)
        except errors.UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print(f"interrupted; {interrupted}", file=sys.stderr)
            return 130
        return 0

    if isinstance(sys.stdout, io.TextIOWrapper):  # a locale that lacks a character escapes it
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.formatwarning = warning_line
    logging.set_verbosity(logging.WARNING)  # JAX says at INFO which accelerators it did not find
    app.run(guarded, flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    with telling_config_errors():
        try:
            rest: list[str] = flags.FLAGS(argv)
        except flags.Error as error:
            print(f"error: {_flag_message(str(error))}", file=sys.stderr)
            raise SystemExit(2) from error
    return rest


def _flag_message(message: str) -> str:
    section = re.fullmatch(r"flag (--\S+)=(.*): Failed to parse .* as a ConfigDict.*", message)
    if section:
        key, value = section.groups()
        return f"{key} is a section of the configuration; did you mean {key}.name={value}?"
    return " ".join(message.split())
