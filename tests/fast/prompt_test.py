import random

import pytest

from fastslow import types
from fastslow.fast import prompt as prompt_lib

NASTY = (
    "",
    " ",
    "\n",
    "\n\n",
    " leading and trailing ",
    "two\n\nparagraphs",
    "ends with newline\n",
    "## Instruction",
    "## Demonstration 1\n\n### Input\n\nx",
    "# title\ntext",
    "```",
    "```python\nprint(1)\n```",
    "````text\n```\n````",
    "before\n```\ninside\n```\nafter",
    "inline `code` and ``more``",
    "naïve 日本語 \U0001f600 \u2028 \u00a0",
    "\u00a0nbsp edge\u00a0",
    "windows\r\nlines\r\n",
    "\ttab\t",
    "   ## indented heading",
    "- a list\n- of lines",
    "$dollar {brace} \\backslash",
    "\x00\x0b\x0c\x85",
    "```text",
)


def every_place(text):
    yield types.Prompt(instruction=text)
    yield types.Prompt("Do it.", demos=(types.Demo(text, "y"), types.Demo("x", text)))
    yield types.Prompt("Do it.", lessons=(text, "other", text))
    yield types.Prompt(text, (types.Demo(text, text),) * 2, (text,) * 2)


@pytest.mark.parametrize("text", NASTY)
def test_markdown_and_json_round_trip_exactly(text):
    for prompt in every_place(text):
        assert prompt_lib.from_markdown(prompt_lib.to_markdown(prompt)) == prompt
        assert prompt_lib.from_json(prompt_lib.to_json(prompt)) == prompt


def test_markdown_round_trips_random_mixtures():
    rng = random.Random(0)
    pieces = [*NASTY, "word", "\n", "`", "#", "### Input", "a\nb"]
    for _ in range(300):
        texts = ["".join(rng.choices(pieces, k=rng.randrange(5))) for _ in range(5)]
        prompt = types.Prompt(
            texts[0], (types.Demo(texts[1], texts[2]),), (texts[3], texts[4])[: rng.randrange(3)]
        )
        assert prompt_lib.from_markdown(prompt_lib.to_markdown(prompt)) == prompt


def test_markdown_of_an_ordinary_prompt_is_plain_to_read():
    prompt = types.Prompt(
        "Is it positive?", (types.Demo("a fine film", "positive"),), ("One word.",)
    )
    assert prompt_lib.to_markdown(prompt) == (
        "## Instruction\n\nIs it positive?\n\n## Demonstration 1\n\n### Input\n\na fine film\n\n"
        "### Output\n\npositive\n\n## Lesson 1\n\nOne word.\n"
    )


def test_markdown_written_by_hand_may_leave_things_out():
    assert prompt_lib.from_markdown("Just an instruction.\n") == types.Prompt(
        "Just an instruction."
    )
    by_hand = "## Lesson\nfirst\n\n## Lesson\n\n```\n second\n```\n"
    assert prompt_lib.from_markdown(by_hand) == types.Prompt(lessons=("first", " second"))


@pytest.mark.parametrize(
    ("markdown", "message"),
    [
        ("## Instruction\n\n```text\nnever closed", "line 3: this code block is never closed"),
        ("stray\n\n## Instruction\n\nx", "line 1: expected a section heading"),
        ("## Demonstration\n\n### Input\n\nx", "end of file: .* 'Output'"),
        ("## Demonstration\n\n### Output\n\nx", "line 3: .* 'Input'"),
        ("### Input\n\nx", "line 1: 'Input' does not belong here"),
        ("## Instruction\n\nx\n\n## Instruction\n\ny", "one Instruction"),
    ],
)
def test_malformed_markdown_is_refused_with_its_line(markdown, message):
    with pytest.raises(ValueError, match=message):
        prompt_lib.from_markdown(markdown)


def test_messages_order_system_demos_question():
    prompt = types.Prompt("Do.", (types.Demo("i", "o"),), ("first", "second"))
    assert prompt_lib.messages(prompt, "q") == (
        types.Message("system", "Do.\n\n- first\n- second"),
        types.Message("user", "i"),
        types.Message("assistant", "o"),
        types.Message("user", "q"),
    )


def test_messages_of_the_empty_prompt_have_no_system_turn():
    assert prompt_lib.messages(types.Prompt(), "q") == (types.Message("user", "q"),)


def test_size_counts_every_text():
    assert prompt_lib.size(types.Prompt("ab", (types.Demo("cd", "e"),))) == 5


def test_digest_tells_contents_apart():
    prompts = [p for text in NASTY for p in every_place(text)]
    assert len({prompt_lib.digest(p) for p in prompts}) == len(set(prompts))
    assert prompt_lib.digest(types.Prompt("a")) == prompt_lib.digest(types.Prompt("a"))
