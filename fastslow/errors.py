"""What the user can mend, and where a plug-in of theirs failed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class UserError(Exception):
    """The message says what is wrong and what to do: programs print it without a traceback."""


class ContextError(UserError, ValueError):
    """A model was asked to read, and to write, more tokens than it can hold."""


@contextlib.contextmanager
def during(what: str) -> Iterator[None]:
    """Annotate an exception from plug-in code with what it was being asked to do.

    The traceback stays: it leads to the line at fault. A UserError says enough by itself.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        error.add_note(f"This happened while {what}.")
        raise
