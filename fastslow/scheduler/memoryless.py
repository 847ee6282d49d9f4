"""What policies have in common that decide each lesson by itself."""

from __future__ import annotations

from collections.abc import Sequence

from fastslow import types


class Memoryless:
    """The state of a policy that remembers nothing."""

    def init(self) -> types.Json:
        """Return the empty state."""
        return {}

    def observe(
        self,
        state: types.Json,
        lesson: types.Lesson,
        probe: types.Probe,
        absorbed: Sequence[types.Absorbed],
    ) -> types.Json:
        """Return the state unchanged."""
        return state
