"""What a format is given to write, and the error that says why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fastslow import config, errors, types
from fastslow.lm import model as models
from fastslow.lm import source
from fastslow.slow import contracts


class ExportError(errors.UserError, RuntimeError):
    """A run cannot be exported in this form or to this place; the message says what to do."""


class Learned(NamedTuple):
    """What a run has learned by one of its checkpoints."""

    settings: config.Run
    model: models.LanguageModel  # the base
    prompts: Mapping[str, types.Prompt]  # the best one by task name
    variables: contracts.Variables  # what the decoder runs with: "params", and "lora" if any
    # Parameters without an adapter that compute the same, kernels and embedding in the given dtype.
    dense: Callable[[source.Dtype], types.PyTree]
