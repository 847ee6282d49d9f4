"""Less text: drop one part of the prompt."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from fastslow import types
from fastslow.fast.proposers import contracts


def build() -> contracts.Proposer:
    """Drop a demonstration, a lesson, or a sentence of the instruction."""

    def propose(
        parent: types.Prompt,
        answers: Sequence[contracts.Graded],
        context: contracts.Context,
        rng: random.Random,
    ) -> contracts.Proposal:
        del answers, context
        shorter = [*_without_demo(parent), *_without_lesson(parent), *_without_sentence(parent)]
        if not shorter:
            return contracts.Proposal(None, "the prompt has nothing that can be dropped")
        return rng.choice(shorter)

    return propose


def _without_demo(parent: types.Prompt) -> Iterator[contracts.Proposal]:
    for place in range(len(parent.demos)):
        child = parent._replace(demos=parent.demos[:place] + parent.demos[place + 1 :])
        yield contracts.Proposal(child, f"dropped demonstration {place + 1}")


def _without_lesson(parent: types.Prompt) -> Iterator[contracts.Proposal]:
    for place in range(len(parent.lessons)):
        child = parent._replace(lessons=parent.lessons[:place] + parent.lessons[place + 1 :])
        yield contracts.Proposal(child, f"dropped lesson {place + 1}")


def _without_sentence(parent: types.Prompt) -> Iterator[contracts.Proposal]:
    sentences = re.split(r"(?<=[.!?])\s+", parent.instruction.strip())
    if len(sentences) < 2:
        return
    for place in range(len(sentences)):
        rest = " ".join(sentences[:place] + sentences[place + 1 :])
        child = parent._replace(instruction=rest)
        yield contracts.Proposal(child, f"dropped sentence {place + 1} of the instruction")
