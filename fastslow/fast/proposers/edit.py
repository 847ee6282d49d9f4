"""One small change to the demonstrations a prompt already shows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeAlias

from fastslow import types
from fastslow.fast import prompt as prompt_lib
from fastslow.fast.proposers import contracts, demonstrations


def build() -> contracts.Proposer:
    """Reorder the demonstrations, exchange one, or add an example that was answered wrongly."""

    def propose(
        parent: types.Prompt,
        answers: Sequence[contracts.Graded],
        context: contracts.Context,
        rng: random.Random,
    ) -> contracts.Proposal:
        if not parent.demos:
            return contracts.Proposal(None, "the prompt shows no demonstrations to edit")
        change = rng.choice((_reorder, _exchange, _correct))
        demos, reason = change(parent.demos, answers, context, rng)
        child = demonstrations.fitting(parent, demos, context.limits)
        if child == parent:
            return contracts.Proposal(None, f"nothing changed: {reason}")
        return contracts.Proposal(child, reason)

    return propose


_Edit: TypeAlias = tuple[Sequence[types.Demo], str]  # the new demonstrations, and what was done


def _reorder(
    demos: tuple[types.Demo, ...],
    answers: Sequence[contracts.Graded],
    context: contracts.Context,
    rng: random.Random,
) -> _Edit:
    return rng.sample(demos, len(demos)), "reordered the demonstrations"


def _exchange(
    demos: tuple[types.Demo, ...],
    answers: Sequence[contracts.Graded],
    context: contracts.Context,
    rng: random.Random,
) -> _Edit:
    """Replace one demonstration by another with the same answer, so that labels stay covered."""
    place = rng.randrange(len(demos))
    fresh = _unused(context.pool, demos)
    same = [demo for demo in fresh if demo.output == demos[place].output]
    if not fresh:
        return demos, "every example of the lesson is shown already"
    chosen = rng.choice(same or fresh)
    return (*demos[:place], chosen, *demos[place + 1 :]), f"exchanged demonstration {place + 1}"


def _correct(
    demos: tuple[types.Demo, ...],
    answers: Sequence[contracts.Graded],
    context: contracts.Context,
    rng: random.Random,
) -> _Edit:
    """Append a failed example with its true answer; the first demonstrations make room for it."""
    failed = _unused([answer.example for answer in contracts.failures(answers)], demos)
    if not failed:
        return demos, "no failed example that is not shown already"
    longer = (*demos, rng.choice(failed))
    return longer[-context.limits.max_demos :], "appended a failed example with its answer"


def _unused(examples: Sequence[types.Example], demos: Sequence[types.Demo]) -> list[types.Demo]:
    shown = {demo.input for demo in demos}
    return [prompt_lib.demo(e) for e in examples if e.input not in shown]
