"""What a proposed prompt must not be: empty, too long, or a copy of what it will be judged on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastslow import texts, types
from fastslow.fast import prompt as prompt_lib
from fastslow.fast.proposers import contracts

_SHORTEST_COPY = 6  # characters; a shorter input ("no", "12") occurs in running text by chance


def shown(prompt: types.Prompt, examples: Sequence[types.Example]) -> list[types.Example]:
    """Return the examples whose input the prompt shows, whatever its case and white space.

    An input is shown when it equals the input of a demonstration, or has at least six characters
    and stands anywhere in the prompt's texts as whole words ("1 + 2" is not shown by "1 + 23").
    """
    demos = {texts.normalised(demo.input) for demo in prompt.demos}
    parts = (prompt_lib.system_text(prompt), *map("\n".join, prompt.demos))
    whole = texts.normalised("\n".join(parts))

    def is_shown(text: str) -> bool:
        return text in demos or (len(text) >= _SHORTEST_COPY and _stands_in(text, whole))

    return [example for example in examples if is_shown(texts.normalised(example.input))]


def objection(
    prompt: types.Prompt, limits: contracts.Limits, protected: Sequence[types.Example]
) -> str | None:
    """Return why the prompt may not be used, or None. `protected`: examples it must not show."""
    if not prompt_lib.system_text(prompt).strip() and not prompt.demos:
        return "empty: neither text nor demonstrations"
    if len(prompt.demos) > limits.max_demos:
        return f"{len(prompt.demos)} demonstrations, {limits.max_demos} are allowed"
    if len(prompt.lessons) > limits.max_lessons:
        return f"{len(prompt.lessons)} lessons, {limits.max_lessons} are allowed"
    if prompt_lib.size(prompt) > limits.max_chars:
        return f"{prompt_lib.size(prompt)} characters, {limits.max_chars} are allowed"
    leaked = shown(prompt, protected)
    if leaked:
        return f"it contains the held-out example {leaked[0].id!r}"
    return limits.exceeds_context(prompt)


def _stands_in(words: str, text: str) -> bool:
    # The plain search is far cheaper and nearly always says no.
    return words in text and bool(re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text))
