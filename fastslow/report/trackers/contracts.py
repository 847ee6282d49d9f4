"""What a tracker is to us: somewhere to put numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias

Axis: TypeAlias = Literal["event", "slow_step"]


class Sink(Protocol):
    """Takes the numbers of one run. It may raise: it is then switched off, and the run goes on.

    A factory gets the run's `directory` and its `settings` (the resolved configuration as JSON) and
    goes on with what an earlier process has put into that directory.
    """

    def log(self, axis: Axis, step: int, values: Mapping[str, float]) -> None:
        """Put down finite numbers by name ("score/sentiment") at a place on an axis.

        "event" is the event's index in the stream, "slow_step" counts steps of the weights in the
        run.
        """
        ...

    def close(self, finished: bool) -> None:
        """Write everything out; `finished` is False if the run has ended early."""
        ...
