"""Byte-level BPE tokenizers built from the vocabulary that a GGUF file carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

_CONTROL, _USER_DEFINED = 3, 4  # tokenizer.ggml.token_type

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


class _Style(NamedTuple):
    """How text is cut before merging, and what differs with it between model families."""

    pre_tokenizer: Callable[[], pre_tokenizers.PreTokenizer]
    normalizer: Callable[[], normalizers.Normalizer] | None = None
    ignore_merges: bool = False  # a piece that is a token stays whole
    adds_bos: bool = False  # where the file does not say


def _gpt2() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def _smollm() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _gpt2()])


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    cut = pre_tokenizers.Split(tokenizers.Regex(pattern), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([cut, to_bytes])


def _llama3() -> pre_tokenizers.PreTokenizer:
    return _split(_LLAMA3)


def _qwen2() -> pre_tokenizers.PreTokenizer:
    return _split(_QWEN2)


# The names are values of tokenizer.ggml.pre; several are used for the same tokenizer.
_STYLES: Mapping[str, _Style] = {
    "gpt-2": _Style(_gpt2),
    "smollm": _Style(_smollm),
    "llama-bpe": _Style(_llama3, ignore_merges=True, adds_bos=True),
    "llama3": _Style(_llama3, ignore_merges=True, adds_bos=True),
    "llama-v3": _Style(_llama3, ignore_merges=True, adds_bos=True),
    "qwen2": _Style(_qwen2, normalizers.NFC),
    "deepseek-r1-qwen": _Style(_qwen2, normalizers.NFC),
}


def styles() -> tuple[str, ...]:
    """Return the values of tokenizer.ggml.pre that `from_vocabulary` accepts."""
    return tuple(_STYLES)


def adds_bos(style: str) -> bool:
    """Return whether texts of a style start with the BOS token unless a file says otherwise.

    As llama.cpp has it.
    """
    return _STYLES[style].adds_bos


def from_vocabulary(
    tokens: Sequence[str], merges: Sequence[str], kinds: Sequence[int], style: str
) -> tokenizers.Tokenizer:
    """Build the tokenizer of a GGUF file.

    `merges` are pairs with a space between them, in order of rank; `kinds` is
    tokenizer.ggml.token_type, one per token; `style` is one of `styles()`. Control and user-defined
    tokens are matched whole in the text before anything else; only control tokens are special.
    """
    chosen = _STYLES[style]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    tokenizer = tokenizers.Tokenizer(
        models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=chosen.ignore_merges)
    )
    if chosen.normalizer is not None:
        tokenizer.normalizer = chosen.normalizer()
    tokenizer.pre_tokenizer = chosen.pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(_added(tokens, kinds, _USER_DEFINED))
    tokenizer.add_special_tokens(_added(tokens, kinds, _CONTROL))
    return tokenizer


def byte_level(specials: Sequence[str]) -> tokenizers.Tokenizer:
    """Build a tokenizer with one token per byte (ids 0..255, sorted by symbol), then `specials`."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    kinds = [1] * len(alphabet) + [_CONTROL] * len(specials)
    return from_vocabulary([*alphabet, *specials], [], kinds, "gpt-2")


def _added(tokens: Sequence[str], kinds: Sequence[int], wanted: int) -> list[tokenizers.AddedToken]:
    return [
        tokenizers.AddedToken(token, special=wanted == _CONTROL, normalized=False)
        for token, kind in zip(tokens, kinds, strict=True)
        if kind == wanted
    ]
