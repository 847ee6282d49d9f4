"""The null slow channel of a language model: the weights stay those of the base."""

from __future__ import annotations

import dataclasses

from fastslow import learner, null_channel, types
from fastslow.lm import source, weights
from fastslow.slow import contracts


@dataclasses.dataclass(frozen=True)
class FrozenWeights(null_channel.NullChannel):
    """Skip every lesson and compute with the base parameters."""

    params: types.PyTree

    def variables(self, state: types.PyTree) -> contracts.Variables:
        """Return the base parameters as Flax collections."""
        return {"params": self.params}

    def probe(self, state: types.ModelState, lesson: types.Lesson, seed: int) -> learner.Measured:
        """Return that no group of samples gives weights a signal that never move."""
        return learner.Measured({"silent_share": 1.0})

    def dense(self, state: types.PyTree, dtype: source.Dtype) -> types.PyTree:
        """Return the base parameters in `dtype`."""
        return weights.cast(self.params, dtype)
