"""A language model as loaded from files: what it is, its weights, and how it chats."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from fastslow import types
from fastslow.lm import config as lm_config


class Chat(Protocol):
    """How messages become tokens and tokens become text, as far as the engine needs to know."""

    @property
    def stop_tokens(self) -> frozenset[int]:
        """Tokens that end an assistant's turn."""
        ...

    def encode(self, messages: Sequence[types.Message]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return (prefix, question): the prompt up to where the assistant's answer starts.

        Chats with the same turns before the last user turn have the same prefix.
        """
        ...

    def encode_answer(self, text: str) -> tuple[int, ...]:
        """Return the tokens of an assistant's answer, with the stop token that ends it."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of a completion, without its stop token and special tokens."""
        ...


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """A decoder with its base weights; `digest` identifies source files and dtype by content."""

    name: str
    config: lm_config.DecoderConfig
    params: types.PyTree
    chat: Chat
    digest: str
