"""Episodic memory of recent failures (Reflexion, arXiv 2303.11366)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from fastslow import types
from fastslow.fast import templates
from fastslow.fast.proposers import contracts


def build(template: str = "reflexion") -> contracts.Proposer:
    """Remember one failure uncompressed among the last few lessons (Reflexion, without an LM).

    The unambiguous success signal and the known answer take the place of the verbal self-diagnosis.
    """

    templates.check(template, "input", "answer", "feedback", "target")

    def propose(
        parent: types.Prompt,
        answers: Sequence[contracts.Graded],
        context: contracts.Context,
        rng: random.Random,
    ) -> contracts.Proposal:
        failed = contracts.failures(answers)
        if not failed or not context.limits.max_lessons:
            return contracts.Proposal(None, "no failure to remember")
        answer = rng.choice(failed)
        line = templates.fill(
            template,
            input=answer.example.input,
            answer=answer.text.strip(),
            feedback=answer.score.feedback.strip().rstrip("."),
            target=answer.example.target,
        )
        child = contracts.remember(parent, line, context.limits)
        return contracts.Proposal(child, "remembered a failure")

    return propose
