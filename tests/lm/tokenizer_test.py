from __future__ import annotations

import pytest
import tokenizers
from tokenizers import pre_tokenizers

from fastslow.lm import tokenizer

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
HELLO = ["he", "ll", "hell", "hello", "Ġ", "Ġhello", "12", "123", "34", "1234"]
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ hello", "1 2", "12 3", "3 4", "123 4"]


def build(style: str, extra: tuple[str, ...] = ()) -> tokenizers.Tokenizer:
    known = list(dict.fromkeys([*ALPHABET, *HELLO, *extra]))
    tokens = [*known, "<think>", "<|end|>"]
    return tokenizer.from_vocabulary(tokens, MERGES, [1] * len(known) + [4, 3], style)


def pieces(style: str, text: str, extra: tuple[str, ...] = ()) -> list[str]:
    return build(style, extra).encode(text).tokens


@pytest.mark.parametrize(
    ("style", "digits"),
    [
        ("gpt-2", ["1234"]),
        ("smollm", ["1", "2", "3", "4"]),
        ("llama-bpe", ["123", "4"]),
        ("qwen2", ["1", "2", "3", "4"]),
    ],
)
def test_families_cut_digits_differently(style, digits):
    assert pieces(style, "1234") == digits
    assert pieces(style, "hello hello") == ["hello", "Ġhello"]


def test_line_breaks_stay_with_punctuation_where_the_family_says_so():
    assert pieces("llama-bpe", "!\n\n", ("!Ċ",)) == ["!", "Ċ", "Ċ"]  # one piece, no merge for it
    assert pieces("llama-bpe", "!\n", ("!Ċ",)) == ["!Ċ"]  # a piece that is a token stays whole
    assert pieces("qwen2", "!\n", ("!Ċ",)) == ["!", "Ċ"]  # here merges alone decide


@pytest.mark.parametrize("style", tokenizer.styles())
def test_every_text_survives_and_specials_do_not(style):
    built = build(style)
    text = "hello  Été 日本 🙂\r\n\t1234 <think>x</think> _it's_ "
    ids = built.encode(text).ids
    assert built.decode(ids, skip_special_tokens=True) == text
    assert built.decode([*ids, built.token_to_id("<|end|>")], skip_special_tokens=True) == text


def test_control_and_user_defined_tokens_are_matched_whole():
    assert pieces("qwen2", "hello<|end|><think>hello") == ["hello", "<|end|>", "<think>", "hello"]
    added = build("qwen2").get_added_tokens_decoder().values()
    assert {token.content: token.special for token in added} == {"<think>": False, "<|end|>": True}


def test_qwen_composes_characters():
    assert pieces("qwen2", "e\u0301") == pieces("qwen2", "\u00e9")
    assert pieces("gpt-2", "e\u0301") != pieces("gpt-2", "\u00e9")


def test_byte_level_has_a_token_for_every_byte():
    built = tokenizer.byte_level(["<|end|>"])
    assert built.get_vocab_size() == 257
    text = "".join(map(chr, range(0x250))) + "<|end|>"
    ids = built.encode(text).ids
    assert len(ids) == len(text[:-7].encode()) + 1
    assert ids[-1] == 256
    assert built.decode(ids, skip_special_tokens=True) == text[:-7]
