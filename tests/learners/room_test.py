"""Prompts and items that a model's context does or does not hold."""

import dataclasses

import pytest

from fastslow import config, types
from fastslow.fast import prompt as prompts
from fastslow.learners import room
from fastslow.lm import loading, template
from tests import toy

MODEL = loading.load("tiny-random")  # a token per byte
LONG = types.Example("long", "x" * 300, "yes")


def task(*examples):
    made = toy.task("t")
    return dataclasses.replace(made, seed_prompt=types.Prompt("Say yes."), test=examples)


def holding(tokens):
    shape = dataclasses.replace(MODEL.config, max_context=tokens)
    return dataclasses.replace(MODEL, config=shape)


def needed(example, prompt):
    """Tokens of the whole chat and of an answer of eight."""
    return sum(map(len, MODEL.chat.encode(prompts.messages(prompt, example.input)))) + 8


def test_an_item_that_does_not_fit_behind_the_seed_prompt_is_named():
    exactly = needed(LONG, task().seed_prompt)
    room.measure(holding(exactly), {"t": task(LONG)}, 8)
    with pytest.raises(config.ConfigError, match=f"'t'.*'long' needs {exactly} tokens.*Shorten"):
        room.measure(holding(exactly - 1), {"t": task(LONG)}, 8)


def test_a_prompt_is_refused_from_the_token_on_that_does_not_fit():
    prompt = types.Prompt("Say yes.", demos=(types.Demo("no?", "yes"),))
    exactly = needed(LONG, prompt)
    fits, short = (room.measure(holding(n), {"t": task(LONG)}, 8) for n in (exactly, exactly - 1))
    assert fits.lack(["t"], prompt) is None
    assert f"'long' needs {exactly} tokens" in short.lack(["t"], prompt)
    assert short.lack(["t"], task().seed_prompt) is None


def test_a_long_target_counts_as_it_is_taught_whatever_answers_may_take():
    told = types.Example("told", "x" * 300, "y" * 100)
    more = needed(LONG, task().seed_prompt)
    with pytest.raises(config.ConfigError, match="'told' needs"):
        room.measure(holding(more), {"t": task(told)}, 8)


def test_a_prompt_that_the_chat_template_refuses_is_an_objection_and_no_crash():
    class NoSystem:
        """A chat without system turns."""

        encode_answer = staticmethod(MODEL.chat.encode_answer)

        def encode(self, turns):
            if turns[0].role == "system":
                raise template.TemplateError("the chat template refuses (system, user)")
            return MODEL.chat.encode(turns)

    bare = dataclasses.replace(task(LONG), seed_prompt=types.Prompt())
    measured = room.measure(dataclasses.replace(MODEL, chat=NoSystem()), {"t": bare}, 8)
    assert measured.lack(["t"], types.Prompt()) is None
    assert "refuses (system, user)" in measured.lack(["t"], types.Prompt("Say yes."))
