"""Parts of two parents in one prompt (GEPA's merge)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from fastslow import types
from fastslow.fast.proposers import contracts, demonstrations


def build() -> contracts.Proposer:
    """Combine two prompts: each part from either one, or their demonstrations mixed."""

    def propose(
        parent: types.Prompt,
        answers: Sequence[contracts.Graded],
        context: contracts.Context,
        rng: random.Random,
    ) -> contracts.Proposal:
        del answers
        partners = [other for other in context.partners if other != parent]
        if not partners:
            return contracts.Proposal(None, "there is no second prompt to cross with")
        other = rng.choice(partners)
        children = [
            demonstrations.fitting(child, child.demos, context.limits)
            for child in (*_parts(parent, other), _mixed(parent, other, context.limits, rng))
        ]
        new = [child for child in children if child not in (parent, other)]
        if not new:
            return contracts.Proposal(None, "the two prompts differ too little to cross")
        return contracts.Proposal(rng.choice(new), "crossed two prompts")

    return propose


def _parts(parent: types.Prompt, other: types.Prompt) -> list[types.Prompt]:
    """Return the parent with each one of its parts taken from the other."""
    fields = ("instruction", "demos", "lessons")
    return [parent._replace(**{field: getattr(other, field)}) for field in fields]


def _mixed(
    parent: types.Prompt, other: types.Prompt, limits: contracts.Limits, rng: random.Random
) -> types.Prompt:
    union = list(dict.fromkeys((*parent.demos, *other.demos)))
    count = min(len(union), max(len(parent.demos), len(other.demos)), limits.max_demos)
    return parent._replace(demos=tuple(rng.sample(union, count)))
