from __future__ import annotations

import dataclasses
import random

import pytest

from fastslow import types
from fastslow.lm import chat, huggingface, source, template, tiny
from fastslow.lm import tokenizer as tokenizer_lib
from tests.lm import model_files

WORDS = [
    "Hello",
    " it's",
    "\n",
    "\n\n",
    " ",
    "  ",
    "12345",
    "!",
    "…",
    "été",
    "日本",
    "🙂",
    "<",
    "|im_end|>",
    "\t",
    "Answer:",
    "<|im_end|>",
    "<|eot_id|>",
    "<think>",
]
TEMPLATED = ["llama3", "llama_linear", "qwen2", "qwen3", "tiny"]


def spec_of(name: str) -> chat.ChatSpec:
    if name == "tiny":
        return tiny.read("float32").chat
    return huggingface.read(model_files.REFERENCE / name, "float32").chat


def text(rng: random.Random) -> str:
    return "".join(rng.choices(WORDS, k=rng.randint(0, 8)))


def conversation(rng: random.Random) -> tuple[types.Message, ...]:
    """Return a random chat that ends with a user turn, with or without a system message."""
    messages = [types.Message("system", text(rng))] if rng.random() < 0.6 else []
    for _ in range(rng.randint(0, 3)):
        messages += [types.Message("user", text(rng)), types.Message("assistant", text(rng))]
    return (*messages, types.Message("user", text(rng)))


def whole_text(spec: chat.ChatSpec, messages: tuple[types.Message, ...]) -> str:
    variables = {"bos_token": spec.bos, "eos_token": spec.eos}
    return template.compile_template(spec.template, variables)(messages, True)


@pytest.mark.parametrize("name", TEMPLATED)
def test_prefix_and_question_are_the_encoding_of_the_whole_text(name):
    spec = spec_of(name)
    talk = chat.build(spec)
    rng = random.Random(name)
    for _ in range(150):
        messages = conversation(rng)
        rendered = talk.encode(messages)
        expected = talk.tokenizer.encode(whole_text(spec, messages), add_special_tokens=False).ids
        assert list(rendered.prefix + rendered.question) == expected, messages
        assert rendered.question


@pytest.mark.parametrize("name", [*TEMPLATED, "flat"])
def test_prefix_depends_only_on_the_earlier_messages(name):
    spec = spec_of("qwen2")._replace(template="") if name == "flat" else spec_of(name)
    rng = random.Random(name)
    for _ in range(50):
        *earlier, _ = conversation(rng)
        questions = [types.Message("user", text(rng)) for _ in range(4)]
        # A fresh format each time: the cache of prefixes must not be what makes them equal.
        prefixes = {chat.build(spec).encode([*earlier, q]).prefix for q in questions}
        assert len(prefixes) == 1


@pytest.mark.parametrize("name", TEMPLATED)
def test_prefix_holds_the_earlier_messages_and_the_question_only_the_last(name):
    talk = chat.build(spec_of(name))
    messages = (
        types.Message("system", "SYSTEM"),
        types.Message("user", "INPUT"),
        types.Message("assistant", "OUTPUT"),
        types.Message("user", "QUESTION"),
    )
    prefix, question = map(talk.decode, talk.encode(messages))
    assert all(word in prefix for word in ("SYSTEM", "INPUT", "OUTPUT"))
    assert not any(word in question for word in ("SYSTEM", "INPUT", "OUTPUT"))
    assert "QUESTION" in question
    assert "QUESTION" not in prefix


def test_template_that_looks_at_the_question_shares_nothing_but_is_exact():
    text_of = "{{ messages|length }}{{ messages[-1].content|length }}"
    spec = spec_of("qwen2")._replace(template=text_of + spec_of("qwen2").template)
    talk = chat.build(spec)
    messages = conversation(random.Random(0))
    rendered = talk.encode(messages)
    assert rendered.prefix == ()
    expected = talk.tokenizer.encode(whole_text(spec, messages), add_special_tokens=False).ids
    assert list(rendered.question) == expected


def test_template_without_special_tokens_shares_nothing_but_is_exact():
    spec = spec_of("qwen2")._replace(
        template="{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
    )
    talk = chat.build(spec)
    messages = (types.Message("user", "Why?"),)
    rendered = talk.encode(messages)
    assert rendered.prefix == ()
    assert talk.decode(rendered.question) == "user: Why?\nassistant:"
    assert talk.end_of_turn == spec.stop_tokens[0]


def test_template_may_refuse():
    refusing = "{{ raise_exception('no system messages') if messages[0].role == 'system' }}"
    spec = spec_of("qwen2")
    talk = chat.build(spec._replace(template=refusing + spec.template))
    talk.encode([types.Message("user", "a")])
    with pytest.raises(template.TemplateError, match="no system messages"):
        talk.encode([types.Message("system", "s"), types.Message("user", "a")])


def test_conversation_without_a_user_turn_is_an_error():
    with pytest.raises(ValueError, match="user turn"):
        chat.build(spec_of("tiny")).encode([types.Message("system", "s")])


@pytest.mark.parametrize(
    ("name", "token"), [("llama3", "<|eot_id|>"), ("qwen2", "<|im_end|>"), ("tiny", "<|im_end|>")]
)
def test_answer_ends_with_the_token_that_the_template_writes(name, token):
    talk = chat.build(spec_of(name))
    assert talk.tokenizer.id_to_token(talk.end_of_turn) == token
    assert talk.end_of_turn in talk.stop_tokens
    *body, end = talk.encode_answer("Paris, 75")
    assert end == talk.end_of_turn
    assert not talk.stop_tokens & set(body)
    assert talk.decode([*body, end]) == "Paris, 75"


@pytest.mark.parametrize("name", TEMPLATED)
def test_answers_are_encoded_as_in_a_demonstration(name):
    """What follows the prompt in training is what a later prompt shows as a finished turn."""
    spec = spec_of(name)
    talk = chat.build(spec)
    question = types.Message("user", "Where?")
    rendered = talk.encode([question])
    answered = [question, types.Message("assistant", "Rome 12"), question]
    # The template of qwen keeps no thinking, not even an empty one, in earlier turns.
    thought = "<think>\n\n</think>\n\n" if name.startswith("qwen") else ""
    prompt = rendered.prefix + rendered.question
    prompt = prompt[: len(prompt) - len(talk.tokenizer.encode(thought).ids)]
    expected = [*prompt, *talk.encode_answer("Rome 12")]
    later = talk.encode(answered)
    assert list(later.prefix + later.question)[: len(expected)] == expected


def test_flat_format_reads_as_documented():
    spec = spec_of("qwen2")._replace(template="")
    talk = chat.build(spec)
    messages = (
        types.Message("system", "instruction"),
        types.Message("user", "input"),
        types.Message("assistant", "output"),
        types.Message("user", "question"),
    )
    prefix, question = talk.encode(messages)
    assert talk.tokenizer.decode(list(prefix)) == "instruction\n\ninput\noutput\n\n"
    assert talk.tokenizer.decode(list(question)) == "question\n"
    assert talk.encode(messages[-1:]).prefix == ()
    answer = talk.encode_answer("output")
    assert talk.tokenizer.decode(list(answer)).startswith("output\n")
    assert talk.decode(answer) == "output"
    assert [token in talk.stop_tokens for token in answer] == [False] * (len(answer) - 1) + [True]


def test_flat_format_starts_with_bos_where_the_tokenizer_does():
    spec = spec_of("llama3")._replace(template="", adds_bos=True)
    prefix, question = chat.build(spec).encode([types.Message("user", "a")])
    assert prefix == (0,)
    assert 0 not in question


def test_flat_answers_end_at_a_line_break():
    spec = spec_of("qwen2")._replace(template="")
    talk = chat.build(spec)
    stops = {talk.tokenizer.decode([token]) for token in talk.stop_tokens}
    assert "\n" in stops
    assert all(stop == "" or "\n" in stop for stop in stops)
    assert set(spec.stop_tokens) <= talk.stop_tokens
    assert talk.end_of_turn in talk.stop_tokens


def test_a_flat_answer_may_end_inside_of_the_token_with_the_line_break():
    """Llama 3 and Qwen glue line breaks to punctuation: demonstrations end in such tokens."""
    import tokenizers

    pieces = ["[yes", "]", "\n", "]\n", "]\n\n"]
    vocabulary = {piece.replace("\n", "Ċ"): number for number, piece in enumerate(pieces)}
    built = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="Ċ"))
    cut = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"\[yes|\]?\n*"), behavior="isolated")
    to_bytes = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    built.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([cut, to_bytes])
    built.decoder = tokenizers.decoders.ByteLevel()
    talk = chat.build(chat.ChatSpec(built.to_str(), "", "", "", False, ()))
    assert talk.encode_answer("[yes]") == (0, 4)
    assert talk.stop_tokens == {2, 3, 4}
    assert [talk.decode(tokens) for tokens in ([0, 4], [0, 3], [0, 1], [0, 2])] == [
        "[yes]",
        "[yes]",
        "[yes]",
        "[yes",
    ]


def test_an_answer_is_encoded_as_it_stands_in_a_conversation():
    """Tokenizers that mark the beginning of a text would mark an answer encoded alone."""
    import tokenizers

    built = tokenizers.Tokenizer.from_str(spec_of("qwen2").tokenizer)
    built.normalizer = tokenizers.normalizers.Prepend("!")
    talk = chat.build(spec_of("qwen2")._replace(tokenizer=built.to_str()))
    turns = [
        types.Message("user", "?"),
        types.Message("assistant", "yes"),
        types.Message("user", "a"),
    ]
    spoken, answer = talk.encode(turns).prefix, talk.encode_answer("yes")
    assert answer in [spoken[i : i + len(answer)] for i in range(len(spoken))]
    assert talk.decode(answer) == "yes"


def test_what_a_file_kept_of_truncation_and_padding_changes_nothing():
    import tokenizers

    spec = spec_of("llama3")
    kept = tokenizers.Tokenizer.from_str(spec.tokenizer)
    kept.enable_truncation(4)
    kept.enable_padding(length=64)
    messages = [types.Message("system", "Hello " * 9), types.Message("user", "Answer: " * 9)]
    odd = chat.build(spec._replace(tokenizer=kept.to_str()))
    plain = chat.build(spec)
    assert odd.encode(messages) == plain.encode(messages)
    assert odd.encode_answer("12345 " * 9) == plain.encode_answer("12345 " * 9)


def test_special_that_swallows_spaces_is_no_place_to_cut():
    """`lstrip` makes a token eat the spaces before it, so text cannot be cut there."""
    spec = spec_of("qwen2")
    built = tokenizer_lib.byte_level(["<|im_end|>"])
    import tokenizers

    built.add_special_tokens([tokenizers.AddedToken("<|im_start|>", lstrip=True, special=True)])
    odd = spec._replace(
        tokenizer=built.to_str(),
        template=(
            "{% for m in messages %}<|im_end|>{{ m.content }}  <|im_start|>{% endfor %}"
            "{{ 'ask' if add_generation_prompt }}"
        ),
    )
    talk = chat.build(odd)
    for seed in range(50):
        messages = conversation(random.Random(seed))
        rendered = talk.encode(messages)
        expected = talk.tokenizer.encode(whole_text(odd, messages), add_special_tokens=False).ids
        assert list(rendered.prefix + rendered.question) == expected


def test_normalized_special_is_no_place_to_cut_where_texts_are_marked_at_their_start():
    import tokenizers

    built = tokenizers.Tokenizer.from_str(tokenizer_lib.byte_level([]).to_str())
    built.normalizer = tokenizers.normalizers.Prepend("_")
    added = [tokenizers.AddedToken(t, normalized=True) for t in ("<|im_start|>", "<|im_end|>")]
    built.add_special_tokens(added)
    odd = spec_of("qwen2")._replace(tokenizer=built.to_str())
    talk = chat.build(odd)
    for seed in range(20):
        messages = conversation(random.Random(seed))
        rendered = talk.encode(messages)
        expected = built.encode(whole_text(odd, messages), add_special_tokens=False).ids
        assert list(rendered.prefix + rendered.question) == expected


def test_prefixes_are_cached_and_the_cache_is_bounded():
    talk = chat.build(spec_of("tiny"))
    earlier = [types.Message("system", "s")]
    for i in range(1000):
        talk.encode([types.Message("system", str(i)), types.Message("user", "q")])
        talk.encode([*earlier, types.Message("user", str(i))])
    info = talk.style.lead.cache_info()
    assert info.hits >= 999
    assert info.currsize <= info.maxsize


def test_decode_leaves_specials_out_and_survives_broken_characters():
    talk = chat.build(spec_of("tiny"))
    tokens = talk.tokenizer.encode("é").ids
    assert talk.decode([*tokens, talk.end_of_turn]) == "é"
    assert talk.decode(tokens[:1]) == "\ufffd"
    assert talk.decode([]) == ""


def test_file_that_names_no_stop_is_refused():
    spec = spec_of("qwen2")._replace(template="{{ messages[-1].content }}", stop_tokens=())
    with pytest.raises(ValueError, match="ends a turn"):
        chat.build(spec)


def test_formats_are_frozen():
    talk = chat.build(spec_of("tiny"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        talk.end_of_turn = 0
    assert issubclass(source.LoadError, ValueError)
