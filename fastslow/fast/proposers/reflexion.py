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
        trials: Sequence[contracts.Trial],
        context: contracts.Context,
        rng: random.Random,
    ) -> contracts.Proposal:
        failed = contracts.failures(trials)
        if not failed or not context.limits.max_lessons:
            return contracts.Proposal(None, "no failure to remember")
        trial = rng.choice(failed)
        line = templates.fill(
            template,
            input=trial.example.input,
            answer=trial.text.strip(),
            feedback=trial.score.feedback.strip().rstrip("."),
            target=trial.example.target,
        )
        child = contracts.remember(parent, line, context.limits)
        return contracts.Proposal(child, "remembered a failure")

    return propose
