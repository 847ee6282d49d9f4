"""Operators that propose new prompts: a table of plug-ins, and their mixture.

All but "reflection" work without a second model.
"""

from __future__ import annotations

import random
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fastslow import errors, hints, registry, types
from fastslow.fast.proposers import (
    contracts,
    crossover,
    demonstrations,
    edit,
    feedback,
    reflection,
    reflexion,
    shorten,
)

PROPOSERS: registry.Registry[contracts.Proposer] = registry.Registry(
    "proposer",
    {
        "demonstrations": demonstrations.build,
        "edit": edit.build,
        "crossover": crossover.build,
        "feedback": feedback.build,
        "reflexion": reflexion.build,
        "shorten": shorten.build,
        "reflection": reflection.build,
    },
    makes=Callable,
)


class ProposalError(errors.UserError, TypeError):
    """A proposer returned something other than a proposal; the message names both."""


class Weighted(NamedTuple):
    """A proposer with its share in the mixture."""

    name: str
    propose: contracts.Proposer
    weight: float


def mixture(specification: Mapping[str, Mapping[str, Any]]) -> tuple[Weighted, ...]:
    """Build proposers from `{name: {"weight": share, **options}}`; the weight is 1 if not given.

    Raises UnknownNameError for an unknown name or option, ValueError for a mixture without weight.
    """
    mixed = []
    for name, options in specification.items():
        rest = {key: value for key, value in options.items() if key != "weight"}
        weight = options.get("weight", 1.0)
        if not hints.matches(weight, float) or weight < 0:
            raise ValueError(f"the weight of proposer {name!r} must be positive or 0, got {weight}")
        mixed.append(Weighted(name, PROPOSERS.build(name, rest), weight))
    if not any(proposer.weight for proposer in mixed):
        raise ValueError("no proposer has a positive weight")
    return tuple(mixed)


def ask(
    proposer: Weighted,
    parent: types.Prompt,
    answers: Sequence[contracts.Graded],
    context: contracts.Context,
    rng: random.Random,
) -> contracts.Proposal:
    """Return what the proposer makes of `parent`; raises ProposalError if that is no proposal."""
    with errors.during(f"proposer {proposer.name!r} was changing a prompt"):
        given: Any = proposer.propose(parent, answers, context, rng)
    if isinstance(given, contracts.Proposal) and isinstance(given.prompt, types.Prompt | None):
        return given
    raise ProposalError(
        f"proposer {proposer.name!r} gave {reprlib.repr(given)}: it must give a Proposal with a "
        "Prompt, or with None and the reason (see fastslow.fast.proposers.contracts)"
    )


def shuffled(mixed: Sequence[Weighted], rng: random.Random) -> list[Weighted]:
    """Return the proposers of positive weight in random order, heavy ones tending to come first.

    The first is drawn in proportion to the weights, the next likewise among the rest, and so on.
    """
    # Efraimidis & Spirakis (2006): sorting by u^(1/w) is weighted sampling without replacement.
    keyed = [(rng.random() ** (1.0 / item.weight), item) for item in mixed if item.weight > 0]
    return [item for _, item in sorted(keyed, key=lambda pair: -pair[0])]
