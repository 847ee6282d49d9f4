"""How long the events of a run take, and so how long is left."""

from __future__ import annotations

import dataclasses

from fastslow import types


@dataclasses.dataclass(frozen=True)
class Pace:
    """Where a run is, and how long the events took that it finished in this process."""

    events: tuple[types.Event, ...] = ()
    position: int = 0  # events done
    event_started: float | None = None  # seconds from any origin
    durations: tuple[tuple[type, float], ...] = ()  # kind of event, seconds

    def begins(self, event: types.Event, now: float) -> Pace:
        """Return the pace when `event` begins, which ends the one before it."""
        durations = self.durations
        if self.event_started is not None:
            before = self.events[self.position]
            durations = (*durations, (type(before), now - self.event_started))
        return dataclasses.replace(
            self, position=event.index, event_started=now, durations=durations
        )

    @property
    def left(self) -> float | None:
        """The estimated seconds for the events not yet begun, None before the first is done.

        Every kind of event is expected to take its own mean so far, an unseen kind the overall one.
        """
        if not self.durations:
            return None
        overall = [seconds for _, seconds in self.durations]
        total = 0.0
        for event in self.events[self.position + 1 :]:
            same = [seconds for kind, seconds in self.durations if kind is type(event)] or overall
            total += sum(same) / len(same)
        return total
