"""What a prompt is without some of its parts: pure functions of a prompt and a seed.

Each returns None where the prompt does not have the part that it is about. What the chat template
adds of its own to a chat without a system message is not theirs to remove.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from typing import TypeAlias

from fastslow import types
from fastslow.fast import prompt as prompts

PLACEHOLDER = "..."
_LONGEST_WORD = 9  # letters

Variant: TypeAlias = Callable[[types.Prompt, int], types.Prompt | None]


def whole(prompt: types.Prompt, seed: int = 0) -> types.Prompt:
    """Return the prompt as it is."""
    del seed
    return prompt


def instruction(prompt: types.Prompt, seed: int = 0) -> types.Prompt | None:
    """Return the instruction alone."""
    del seed
    return types.Prompt(prompt.instruction) if prompt.instruction else None


def demonstrations(prompt: types.Prompt, seed: int = 0) -> types.Prompt | None:
    """Return the demonstrations alone."""
    del seed
    return types.Prompt(demos=prompt.demos) if prompt.demos else None


def lessons(prompt: types.Prompt, seed: int = 0) -> types.Prompt | None:
    """Return the lessons alone."""
    del seed
    return types.Prompt(lessons=prompt.lessons) if prompt.lessons else None


def answer_format(prompt: types.Prompt, seed: int = 0) -> types.Prompt | None:
    """Return the demonstrations alone, every input replaced by PLACEHOLDER.

    What is left says how answers look and which there are, and nothing of when to give which.
    """
    del seed
    if not prompt.demos:
        return None
    return types.Prompt(demos=tuple(demo._replace(input=PLACEHOLDER) for demo in prompt.demos))


def shuffled(prompt: types.Prompt, seed: int = 0) -> types.Prompt | None:
    """Return the whole prompt with the answers of its demonstrations permuted among them.

    The permutation is drawn from those that change at least one answer (arXiv 2202.12837 draws
    answers at random instead); None where the demonstrations do not have two different answers.
    """
    answers = [demo.output for demo in prompt.demos]
    if len(set(answers)) < 2:
        return None
    rng, permuted = random.Random(seed), answers
    while permuted == answers:
        permuted = rng.sample(answers, len(answers))
    demos = (
        demo._replace(output=answer) for demo, answer in zip(prompt.demos, permuted, strict=True)
    )
    return prompt._replace(demos=tuple(demos))


def noise(prompt: types.Prompt, seed: int = 0) -> types.Prompt | None:
    """Return an instruction of random words of lower-case letters, of the size of the prompt."""
    length, rng = prompts.size(prompt), random.Random(seed)
    text = ""
    while len(text) < length:
        text += "".join(rng.choices(string.ascii_lowercase, k=rng.randint(1, _LONGEST_WORD))) + " "
    text = text[:length]
    if text.endswith(" "):
        text = text[:-1] + "x"
    return types.Prompt(text) if text else None


def nothing(prompt: types.Prompt, seed: int = 0) -> types.Prompt:
    """Return a prompt without any text."""
    del prompt, seed
    return types.Prompt()


VARIANTS: Mapping[str, Variant] = {
    "whole": whole,
    "instruction": instruction,
    "demonstrations": demonstrations,
    "lessons": lessons,
    "format": answer_format,
    "shuffled": shuffled,
    "random": noise,
    "nothing": nothing,
}
