"""A model with frozen weights as a `types.Policy`: messages in, answers out."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

import jax
import numpy as np

from fastslow import types
from fastslow.lm import decoder, decoding, engine, model


@dataclasses.dataclass(frozen=True)
class LanguagePolicy:
    """Answers with `model`'s chat format under `variables`, which it never changes."""

    model: model.LanguageModel
    engine: engine.Engine
    variables: decoder.Variables

    @functools.cached_property
    def version(self) -> str:
        """Identify the weights: by the model's digest and a hash of every array not its own."""
        own = {id(leaf) for leaf in jax.tree.leaves(self.model.params)}
        content = hashlib.blake2b(self.model.digest.encode(), digest_size=16)
        for path, leaf in jax.tree.leaves_with_path(dict(self.variables)):
            if id(leaf) not in own:
                array = np.ascontiguousarray(leaf)
                content.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
                content.update(array.view(np.uint8).data)
        return f"{self.model.name}@{content.hexdigest()}"

    def complete(
        self, queries: Sequence[types.Query], *, temperature: float, max_tokens: int
    ) -> tuple[list[types.Completion], types.Cost]:
        """Answer every query; order is kept. Raises what `Engine.generate` raises."""
        requests = [
            engine.Request(*self.model.chat.encode(query.messages), seed=query.seed)
            for query in queries
        ]
        return self.engine.generate(
            self.variables,
            requests,
            temperature=temperature,
            max_tokens=max_tokens,
            layers=self._layers,
        )

    @functools.cached_property
    def _layers(self) -> decoding.Layers:
        return self.engine.unstack_layers(self.variables)
