"""The model as it was after training, with the delta in its weights."""

from __future__ import annotations

import pathlib

from fastslow.export import contracts, huggingface_directory
from fastslow.lm import source


def merged(learned: contracts.Learned, directory: pathlib.Path, dtype: source.Dtype) -> str:
    """The trained weights, whatever the adapter, as a Hugging Face directory."""
    huggingface_directory.write(directory, learned.model, learned.dense(dtype))
    return huggingface_directory.how_to_load(directory.name, learned.model)
