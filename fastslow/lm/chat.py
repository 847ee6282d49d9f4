"""How a model chats: messages to tokens, tokens to text.

A prompt is split into a prefix, which depends only on the turns before the last user turn and is
computed once for many questions, and the question. With a chat template the split is just before
the last special token that precedes the last user turn's text: merges never cross special tokens,
so prefix + question is exactly the encoding of the whole rendered text.

A model without a chat template (a base model) gets the flat format: every system text and every
answer is followed by a blank line, every input by a line break, so that a prompt reads

    instruction

    input
    output

    question

(with a final line break). Its prefix is the text before the question, encoded on its own, and an
answer is one line: it ends with the first token that has a line break in it, which may hold the
answer's last characters too (many tokenizers glue line breaks to punctuation).

As in transformers and llama.cpp, a special token that is spelled out in a message is that token.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import tokenizers

from fastslow import types
from fastslow.lm import template as template_lib

_CACHED_PREFIXES = 256
_TEXT = "\ue000text\ue001"  # stands for the text of a turn; private-use characters


class ChatSpec(NamedTuple):
    """Everything a model file says about chatting, as text."""

    tokenizer: str  # JSON of the tokenizers library
    template: str  # Jinja; "" if the model has none
    bos: str  # "" if there is none
    eos: str
    adds_bos: bool  # whether plain text starts with `bos`; templates write it themselves
    stop_tokens: tuple[int, ...]  # those that the file names


class Rendered(NamedTuple):
    """A prompt up to where the answer starts, in two parts that follow each other."""

    prefix: tuple[int, ...]  # depends only on the messages before the last user turn
    question: tuple[int, ...]


class _Lead(NamedTuple):
    """The text before the last user turn's own: all of it, and the encoded part to share."""

    text: str
    shared: int  # characters of `text` that are the prefix
    tokens: tuple[int, ...]


class _Style(NamedTuple):
    """A way to write messages and to read answers: with the model's template, or flat."""

    full: Callable[[Sequence[types.Message]], str]
    lead: Callable[[tuple[types.Message, ...]], _Lead]
    answer: Callable[[str], tuple[int, ...]]  # with the stop token
    text: Callable[[Sequence[int]], str]  # of a completion, with or without its stop token


@dataclasses.dataclass(frozen=True)
class ChatFormat:
    """The tokenizer of a model and its way to write a conversation; build it with `build`."""

    tokenizer: tokenizers.Tokenizer
    stop_tokens: frozenset[int]
    end_of_turn: int  # the stop token that ends an answer in training data
    style: _Style
    spec: ChatSpec  # what it was built from

    def encode(self, messages: Sequence[types.Message]) -> Rendered:
        """Return the tokens up to where the assistant's answer starts.

        Raises ValueError without a user turn, and template.TemplateError where the model's template
        refuses the messages.
        """
        users = [i for i, message in enumerate(messages) if message.role == "user"]
        if not users:
            raise ValueError("a conversation needs at least one user turn")
        text = self.style.full(messages)
        lead = self.style.lead(tuple(messages[: users[-1]]))
        if not text.startswith(lead.text):  # the template looks at the question: share nothing
            return Rendered((), _encode(self.tokenizer, text))
        return Rendered(lead.tokens, _encode(self.tokenizer, text[lead.shared :]))

    def encode_answer(self, text: str) -> tuple[int, ...]:
        """Return the tokens of an assistant's answer, with the stop token that ends it."""
        return self.style.answer(text)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of a completion up to where it ended; invalid UTF-8 becomes U+FFFD.

        Special tokens, and the stop token if it is there, are left out.
        """
        return self.style.text([int(token) for token in tokens])


def build(spec: ChatSpec) -> ChatFormat:
    """Build the format that a model file describes.

    Raises template.TemplateError for a template that is not valid, ValueError for a file that names
    no token to stop at.
    """
    tokenizer = tokenizers.Tokenizer.from_str(spec.tokenizer)
    tokenizer.no_truncation()  # files keep what their last user had set
    tokenizer.no_padding()
    if not spec.template:
        return _flat(tokenizer, spec)
    variables = {"bos_token": spec.bos, "eos_token": spec.eos}
    return _templated(tokenizer, spec, template_lib.compile_template(spec.template, variables))


def starts_with(tokenizer: tokenizers.Tokenizer, bos: str) -> bool:
    """Return whether a tokenizer starts every text with the token `bos` by a rule of its own."""
    return bool(bos) and tokenizer.encode("").ids[:1] == [tokenizer.token_to_id(bos)]


def _encode(tokenizer: tokenizers.Tokenizer, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text, add_special_tokens=False).ids)


def _decode(tokenizer: tokenizers.Tokenizer, tokens: Sequence[int]) -> str:
    text: str = tokenizer.decode(list(tokens), skip_special_tokens=True)
    return text


def _templated(
    tokenizer: tokenizers.Tokenizer, spec: ChatSpec, render: template_lib.Render
) -> ChatFormat:
    specials, boundaries = _specials(tokenizer), _boundaries(tokenizer)

    @functools.lru_cache(_CACHED_PREFIXES)
    def lead(earlier: tuple[types.Message, ...]) -> _Lead:
        text = render((*earlier, types.Message("user", _TEXT)), True)
        text = text[: max(text.rfind(_TEXT), 0)]
        shared = max((match.start() for match in boundaries.finditer(text)), default=0)
        return _Lead(text, shared, _encode(tokenizer, text[:shared]))

    end = _end_of_turn(tokenizer, spec, render, specials)
    stops = frozenset(spec.stop_tokens) | {end}
    before = _before_answer(render, specials)
    start = _encode(tokenizer, before)

    def answer(text: str) -> tuple[int, ...]:
        whole = _encode(tokenizer, before + text)
        follows = whole[: len(start)] == start  # not where a merge crosses into the answer
        return (*(whole[len(start) :] if follows else _encode(tokenizer, text)), end)

    def text_of(tokens: Sequence[int]) -> str:
        ended = tokens and tokens[-1] in stops
        return _decode(tokenizer, tokens[:-1] if ended else tokens)

    style = _Style(lambda m: render(m, True), lead, answer, text_of)
    return ChatFormat(tokenizer, stops, end, style, spec)


def _before_answer(render: template_lib.Render, specials: re.Pattern[str]) -> str:
    """Return the text between the last special token and an answer.

    Tokenizers that mark the beginning of a text would mark an answer that is encoded alone.
    """
    text = render((types.Message("user", "?"),), True)
    end = max((match.end() for match in specials.finditer(text)), default=0)
    return text[end:] if end else ""


def _boundaries(tokenizer: tokenizers.Tokenizer) -> re.Pattern[str]:
    """Match the special tokens before which text can be cut without changing its tokens.

    A `normalized` token is looked for in the normalised text, which for a part of a text may differ
    from the part of the normalised whole (it may be marked at its start).
    """
    whole_only = tokenizer.normalizer is not None
    return _any_of(
        token for token in _exact_specials(tokenizer) if not (token.normalized and whole_only)
    )


def _specials(tokenizer: tokenizers.Tokenizer) -> re.Pattern[str]:
    """Match the special tokens that take no text beside them."""
    return _any_of(_exact_specials(tokenizer))


def _exact_specials(tokenizer: tokenizers.Tokenizer) -> list[tokenizers.AddedToken]:
    added = tokenizer.get_added_tokens_decoder().values()
    return [t for t in added if t.special and not t.lstrip and not t.single_word]


def _any_of(tokens: Iterable[tokenizers.AddedToken]) -> re.Pattern[str]:
    longest_first = sorted((token.content for token in tokens), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _end_of_turn(
    tokenizer: tokenizers.Tokenizer,
    spec: ChatSpec,
    render: template_lib.Render,
    specials: re.Pattern[str],
) -> int:
    """Return the special token that the template puts after an answer, else a stop token."""
    turns = (types.Message("user", "?"), types.Message("assistant", _TEXT))
    _, answer, after = render(turns, False).rpartition(_TEXT)
    if answer and (match := specials.search(after)):
        return _encode(tokenizer, match.group())[0]
    if not spec.stop_tokens:
        raise ValueError("neither the chat template nor the file names a token that ends a turn")
    return spec.stop_tokens[0]


def _flat(tokenizer: tokenizers.Tokenizer, spec: ChatSpec) -> ChatFormat:
    def full(messages: Sequence[types.Message]) -> str:
        start = spec.bos if spec.adds_bos else ""
        return start + "".join(map(_flat_turn, messages))

    @functools.lru_cache(_CACHED_PREFIXES)
    def lead(earlier: tuple[types.Message, ...]) -> _Lead:
        text = full(earlier)
        return _Lead(text, len(text), _encode(tokenizer, text))

    breaks = _line_breaks(tokenizer)

    def answer(text: str) -> tuple[int, ...]:
        tokens = _encode(tokenizer, text + "\n\n")
        while len(tokens) > 1 and tokens[-1] in breaks and tokens[-2] in breaks:
            tokens = tokens[:-1]
        return tokens

    def text_of(tokens: Sequence[int]) -> str:
        return _decode(tokenizer, tokens).partition("\n")[0]

    end = _encode(tokenizer, "\n\n")[0]
    style = _Style(full, lead, answer, text_of)
    return ChatFormat(tokenizer, frozenset(spec.stop_tokens) | breaks, end, style, spec)


def _flat_turn(message: types.Message) -> str:
    return message.content + ("\n" if message.role == "user" else "\n\n")


def _line_breaks(tokenizer: tokenizers.Tokenizer) -> frozenset[int]:
    """Return the tokens with a line break in their text."""
    ids = range(tokenizer.get_vocab_size())
    texts = tokenizer.decode_batch([[i] for i in ids], skip_special_tokens=True)
    return frozenset(i for i, text in zip(ids, texts, strict=True) if "\n" in text)
