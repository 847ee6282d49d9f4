"""The model as it was before training, for adapters of models that come as another kind of file."""

from __future__ import annotations

import pathlib

from fastslow.export import contracts, huggingface_directory
from fastslow.lm import source, weights


def base(learned: contracts.Learned, directory: pathlib.Path, dtype: source.Dtype) -> str:
    """The base weights as a Hugging Face directory, for the adapter to stand on."""
    params = weights.cast(learned.model.params, dtype)
    huggingface_directory.write(directory, learned.model, params)
    return huggingface_directory.how_to_load(directory.name, learned.model)
