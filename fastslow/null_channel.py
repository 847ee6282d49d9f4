"""The channel in which nothing is ever learned."""

from __future__ import annotations

import dataclasses

from fastslow import types


@dataclasses.dataclass(frozen=True)
class NullChannel:
    """Skip every lesson; `channel` is the name it reports under, "fast" or "slow"."""

    channel: str

    def init(self, seed: int) -> dict[str, None]:
        """Return the empty state."""
        return {}

    def absorb(
        self, state: types.ModelState, lesson: types.Lesson, budget: int, seed: int
    ) -> tuple[dict[str, None], types.Absorbed]:
        """Return the state as it is and say that there is nothing to learn with."""
        reason = f"this run has no {self.channel} channel"
        return getattr(state, self.channel), types.Absorbed(self.channel, "skipped", reason)

    def save(self, state: dict[str, None]) -> types.Saved:
        """Return nothing to store."""
        return types.Saved(arrays={}, text={})

    def restore(self, saved: types.Saved) -> dict[str, None]:
        """Return the empty state."""
        return {}
