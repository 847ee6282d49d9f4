"""A line made from what the scorer says of wrong answers."""

from __future__ import annotations

import random
from collections.abc import Sequence

from fastslow import types
from fastslow.fast import templates
from fastslow.fast.proposers import contracts


def build(template: str = "feedback") -> contracts.Proposer:
    """Add the scorer's feedback on failed answers to the lessons, the frequent one most likely."""

    templates.check(template, "feedback")

    def propose(
        parent: types.Prompt,
        answers: Sequence[contracts.Graded],
        context: contracts.Context,
        rng: random.Random,
    ) -> contracts.Proposal:
        lines = [
            line
            for answer in contracts.failures(answers)
            if (text := answer.score.feedback.strip().rstrip("."))
            and (line := templates.fill(template, feedback=text)) not in parent.lessons
        ]
        if not lines or not context.limits.max_lessons:
            return contracts.Proposal(None, "no feedback that is not a lesson already")
        child = contracts.remember(parent, rng.choice(lines), context.limits)
        return contracts.Proposal(child, "added a line from the feedback")

    return propose
