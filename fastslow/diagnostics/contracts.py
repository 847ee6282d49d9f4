"""What a diagnostic is: a question to a run that its training did not need answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol

from fastslow import run_directory, types
from fastslow.diagnostics import subject as subjects
from fastslow.report import table


class NotApplicableError(run_directory.RunDirectoryError):
    """A run does not have what a diagnostic looks at; the message says what and what to do."""


class Finding(NamedTuple):
    """What a diagnostic found: JSON-able values, in which NaN says that there is no such number."""

    values: dict[str, types.Json]
    cost: types.Cost = types.Cost()
    notes: tuple[str, ...] = ()  # what a reader of the values should know, a sentence each


class Diagnostic(Protocol):
    """A frozen dataclass whose fields are the options; the same subject gives the same finding."""

    reads: ClassVar[str]  # which items of which split enter, for people

    def measure(self, subject: subjects.Subject) -> Finding:
        """Find out; raises NotApplicableError and what loading the run raises."""
        ...

    def tables(self, values: types.Json) -> Sequence[table.Table]:
        """Return a finding's values, as the JSON file has them (null for NaN), for people."""
        ...
