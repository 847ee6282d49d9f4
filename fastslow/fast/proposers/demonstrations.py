"""A fresh set of demonstrations, drawn at random with all answers covered."""

from __future__ import annotations

import random
from collections.abc import Sequence

from fastslow import types
from fastslow.fast import prompt as prompt_lib
from fastslow.fast.proposers import contracts


def build(size: int | None = None) -> contracts.Proposer:
    """Replace all demonstrations by `size` random ones (None: all that fit), labels covered.

    For a small model which demonstrations stand in which order decides most of the reward, so that
    plain random search over them is a strong operator (Zhao et al. 2021, arXiv 2102.09690).
    Raises ValueError for a `size` below 1.
    """
    if size is not None and size < 1:
        raise ValueError(f"the proposer 'demonstrations' needs a size of 1 or more, got {size}")

    def propose(
        parent: types.Prompt,
        answers: Sequence[contracts.Graded],
        context: contracts.Context,
        rng: random.Random,
    ) -> contracts.Proposal:
        del answers
        allowed = context.limits.max_demos
        half = len(context.pool) // 2  # the other half stays unseen, to compare prompts on
        most = allowed if size is None else min(size, allowed)
        drawn = covering(context.pool, min(most, max(1, half)), rng)
        demos = [prompt_lib.demo(example) for example in drawn]
        child = fitting(parent, demos, context.limits)
        if not child.demos:
            return contracts.Proposal(None, "no example of the lesson fits into the prompt")
        return contracts.Proposal(child, f"drew {len(child.demos)} new demonstrations")

    return propose


def covering(
    examples: Sequence[types.Example], size: int, rng: random.Random
) -> list[types.Example]:
    """Draw up to `size` examples, taking turns over the answers; return them in random order."""
    by_answer: dict[str, list[types.Example]] = {}
    for example in rng.sample(list(examples), len(examples)):
        by_answer.setdefault(example.target, []).append(example)
    drawn: list[types.Example] = []
    while by_answer and len(drawn) < size:
        for answer in list(by_answer)[: size - len(drawn)]:
            drawn.append(by_answer[answer].pop())
            if not by_answer[answer]:
                del by_answer[answer]
    rng.shuffle(drawn)
    return drawn


def fitting(
    parent: types.Prompt, demos: Sequence[types.Demo], limits: contracts.Limits
) -> types.Prompt:
    """Return the parent with these demonstrations, without the first ones while it is too long."""
    child = parent._replace(demos=tuple(demos))
    while child.demos and prompt_lib.size(child) > limits.max_chars:
        child = child._replace(demos=child.demos[1:])
    return child
