"""What every program does: refuse stray words, and print expected errors as one line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

from absl import app, logging

from fastslow import errors


def reject_arguments(argv: Sequence[str]) -> None:
    """Raise UsageError if words are left over after the flags: they would be ignored silently."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]!r}; every setting is a --flag=value")


@contextlib.contextmanager
def naming_keys() -> Iterator[None]:
    """Turn what ml_collections raises for an unknown configuration key into one line and exit."""
    try:
        yield
    except AttributeError as error:
        (cause,) = error.args  # a KeyError that suggests the nearest
        told = cause.args[0] if isinstance(cause, KeyError) else str(cause)
        print(f"error: unknown configuration key {' '.join(told.split())}", file=sys.stderr)
        raise SystemExit(2) from error


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

    logging.set_verbosity(logging.WARNING)  # JAX says at INFO which accelerators it did not find
    app.run(guarded, flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    with naming_keys():
        rest: list[str] = app.parse_flags_with_usage(argv)
    return rest
