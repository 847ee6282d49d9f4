"""What every kind of model file is read into, and the error that says why it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import ml_dtypes
import numpy as np

from fastslow import errors, types
from fastslow.lm import chat
from fastslow.lm import config as lm_config

Dtype: TypeAlias = Literal["bfloat16", "float32"]
DTYPES: Mapping[str, np.dtype] = {
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float32": np.dtype(np.float32),
}


class LoadError(errors.UserError, ValueError):
    """A model file is damaged or not supported; the message names the file and what is wrong."""


class Source(NamedTuple):
    """A model file, read: NumPy parameters as the decoder wants them, and how it chats."""

    config: lm_config.DecoderConfig
    params: types.PyTree
    chat: chat.ChatSpec
