"""Each variant of a prompt, by hand."""

import collections

import pytest

from fastslow import types
from fastslow.diagnostics import prompt_parts
from fastslow.fast import prompt as prompts

DEMOS = (types.Demo("one", "A"), types.Demo("two", "B"), types.Demo("three", "A"))
PROMPT = types.Prompt("Say A or B.", DEMOS, ("Never say C.",))


def test_each_part_alone():
    assert prompt_parts.whole(PROMPT) == PROMPT
    assert prompt_parts.instruction(PROMPT) == types.Prompt("Say A or B.")
    assert prompt_parts.demonstrations(PROMPT) == types.Prompt("", DEMOS)
    assert prompt_parts.lessons(PROMPT) == types.Prompt("", (), ("Never say C.",))
    assert prompt_parts.nothing(PROMPT) == types.Prompt("", (), ())


def test_format_keeps_answers_in_order_and_hides_inputs():
    shown = [types.Demo("...", "A"), types.Demo("...", "B"), types.Demo("...", "A")]
    assert prompt_parts.answer_format(PROMPT) == types.Prompt("", tuple(shown))


def test_absent_parts_are_none_and_not_empty_prompts():
    bare = types.Prompt("Say A.")
    assert prompt_parts.demonstrations(bare) is None
    assert prompt_parts.answer_format(bare) is None
    assert prompt_parts.shuffled(bare) is None
    assert prompt_parts.lessons(bare) is None
    assert prompt_parts.instruction(types.Prompt("", DEMOS)) is None
    assert prompt_parts.noise(types.Prompt()) is None


def test_shuffled_permutes_the_answers_and_nothing_else():
    seen = set()
    for seed in range(40):
        found = prompt_parts.shuffled(PROMPT, seed)
        assert (found.instruction, found.lessons) == (PROMPT.instruction, PROMPT.lessons)
        assert [demo.input for demo in found.demos] == ["one", "two", "three"]
        seen.add("".join(demo.output for demo in found.demos))
        assert found == prompt_parts.shuffled(PROMPT, seed)
    assert seen == {"AAB", "BAA"}  # every other arrangement of A, B, A; never itself
    assert prompt_parts.shuffled(types.Prompt("", DEMOS[::2])) is None  # A and A


def test_random_text_has_the_size_of_the_prompt_and_none_of_its_words():
    sizes = collections.Counter()
    for seed in range(30):
        found = prompt_parts.noise(PROMPT, seed)
        assert found.demos == found.lessons == ()
        assert prompts.size(found) == prompts.size(PROMPT)
        assert found.instruction == found.instruction.strip()
        assert set(found.instruction) <= set("abcdefghijklmnopqrstuvwxyz ")
        sizes[found.instruction] += 1
    assert len(sizes) == 30


@pytest.mark.parametrize("name", prompt_parts.VARIANTS)
def test_variants_are_pure(name):
    variant = prompt_parts.VARIANTS[name]
    assert variant(PROMPT, 1) == variant(PROMPT, 1)
