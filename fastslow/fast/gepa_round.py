"""One light round of GEPA (arXiv 2507.19457) on the current weights, as Fast-Slow Training uses it.

The population is re-scored first. Then, step by step while the budget lasts: draw parents from the
Pareto frontier, try them on a minibatch, let proposers change them, try the children on the same
minibatch, and score on the anchors those that do strictly better than their parent there. A step
handles all its parents and children at once, so that the model sees large batches.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from fastslow import types
from fastslow.fast import pareto, population, prompt_scorer, proposers, validity
from fastslow.fast import prompt as prompt_lib
from fastslow.fast import settings as fast_settings
from fastslow.fast.proposers import contracts

OnStep: TypeAlias = Callable[[int, int, Mapping[str, float]], None]  # calls, of how many, facts

_MAX_IDLE_STEPS = 4  # steps in a row without a child to try, before the round gives up

Outcome = Literal[
    "declined",  # the operator has nothing to offer for this parent
    "failed",  # an error outside the method
    "invalid",  # empty, too long, or shows held-out examples
    "duplicate",  # proposed or known already
    "no better",  # than its parent on the minibatch
    "outranked",  # better, but others of its step were better still
    "scored",  # on the anchors
]


class Attempt(NamedTuple):
    """One proposal and what became of it. Prompts by digest; rewards are sums over `compared`."""

    step: int
    operator: str
    parent: str
    outcome: Outcome
    reason: str
    child: str = ""
    compared: int = 0  # minibatch examples that neither parent nor child shows
    parent_reward: float = 0.0
    child_reward: float = 0.0
    anchor_mean: float | None = None


class Data(NamedTuple):
    """A lesson's examples by their part in the round."""

    anchors: Sequence[types.Example]  # every candidate is scored on these; no prompt shows them
    pool: Sequence[types.Example]  # minibatches and demonstrations come from here
    protected: Sequence[types.Example]  # what a proposal must not show: anchors and validation


class Setup(NamedTuple):
    """What a round works with."""

    data: Data
    evaluate: prompt_scorer.PromptScorer
    mixture: Sequence[proposers.Weighted]
    settings: fast_settings.Settings
    limits: contracts.Limits
    rng: random.Random


class Result(NamedTuple):
    """The new population, best first, with what led to it."""

    members: tuple[population.Member, ...]
    reward_before: float  # mean anchor reward of the best prompt at the start, current weights
    attempts: tuple[Attempt, ...]
    cost: types.Cost  # of the proposers; the scorer of prompts keeps its own


class _Child(NamedTuple):
    prompt: types.Prompt
    parent: types.Prompt
    compared: Sequence[types.Example]
    attempt: Attempt


@dataclasses.dataclass
class _Round:
    setup: Setup
    members: list[population.Member]  # grows by the promoted children
    seen: set[types.Prompt]
    attempts: list[Attempt] = dataclasses.field(default_factory=list)
    cost: types.Cost = dataclasses.field(default_factory=types.Cost)


def price(start: int, data: Data, minibatch: int) -> int:
    """Return the metric calls a round takes at least: re-score `start` prompts, try one child."""
    return (start + 1) * len(data.anchors) + 2 * min(minibatch, len(data.pool))


def run(start: Sequence[types.Prompt], setup: Setup, on_step: OnStep | None = None) -> Result:
    """Improve the prompts `start` within the scorer's budget, which must be at least `price`.

    `on_step` is called at the start and after every step: with the metric calls spent, the budget,
    and the best mean reward so far.
    """
    evaluate = setup.evaluate
    members = _score(start, setup.data.anchors, evaluate)
    state = _Round(setup, list(members), set(start))
    step = idle = 0
    while True:
        if on_step is not None:
            best = max(member.mean for member in state.members)
            on_step(evaluate.cost.metric_calls, evaluate.budget, {"reward": best})
        if idle == _MAX_IDLE_STEPS or not (slots := _draw(state)):
            break
        children = _propose(state, step, slots)
        _promote(state, _gate(state, children))
        idle = 0 if children else idle + 1
        step += 1
    return Result(
        members=pareto.keep(state.members, setup.settings.population_size),
        reward_before=max(member.mean for member in members),
        attempts=tuple(state.attempts),
        cost=state.cost,
    )


def _score(
    prompts: Sequence[types.Prompt],
    anchors: Sequence[types.Example],
    evaluate: prompt_scorer.PromptScorer,
) -> list[population.Member]:
    scored = evaluate([(prompt, anchors) for prompt in prompts])
    return [
        population.Member(prompt, {answer.example.id: answer.score.value for answer in answers})
        for prompt, answers in zip(prompts, scored, strict=True)
    ]


def _draw(state: _Round) -> list[prompt_scorer.Job]:
    """Draw a parent and its minibatch for each proposal, as many as the budget pays for."""
    setup = state.setup
    minibatches: dict[types.Prompt, Sequence[types.Example]] = {}
    slots: list[prompt_scorer.Job] = []
    while len(slots) < setup.settings.proposals_per_step:
        parent = state.members[pareto.select_parent(state.members, setup.rng)].prompt
        if parent not in minibatches:
            minibatches[parent] = _minibatch(setup, parent)
        slots.append((parent, minibatches[parent]))
        for_children = sum(len(minibatch) for _, minibatch in slots)
        needed = setup.evaluate.price(slots) + for_children + len(setup.data.anchors)
        if needed > setup.evaluate.remaining:
            return slots[:-1]
    return slots


def _minibatch(setup: Setup, parent: types.Prompt) -> Sequence[types.Example]:
    """Sample from the examples that the parent does not show: it would only copy those."""
    shown = validity.shown(parent, setup.data.pool)
    unseen = [example for example in setup.data.pool if example not in shown]
    return setup.rng.sample(unseen, min(setup.settings.minibatch_size, len(unseen)))


def _propose(state: _Round, step: int, slots: Sequence[prompt_scorer.Job]) -> list[_Child]:
    """Return a valid new child for each slot that gets one; record all other attempts."""
    ranked = sorted(state.members, key=lambda member: -member.mean)
    setup = state.setup
    context = contracts.Context(setup.data.pool, [m.prompt for m in ranked], setup.limits)
    broken: set[str] = set()  # operators that failed: not asked again in this step
    children = []
    for (parent, _), answers in zip(slots, setup.evaluate(slots), strict=True):
        if not contracts.failures(answers):
            reason = "no error on its minibatch" if answers else "it shows the whole pool"
            state.attempts.append(Attempt(step, "", prompt_lib.digest(parent), "declined", reason))
            continue
        child = _breed(state, step, parent, answers, context, broken)
        if child:
            children.append(child)
    return children


def _breed(
    state: _Round,
    step: int,
    parent: types.Prompt,
    answers: Sequence[contracts.Graded],
    context: contracts.Context,
    broken: set[str],
) -> _Child | None:
    """Ask one proposer after another until one gives a child that can be tried."""
    for operator in proposers.shuffled(state.setup.mixture, state.setup.rng):
        if operator.name in broken:
            continue
        proposal = proposers.ask(operator, parent, answers, context, state.setup.rng)
        state.cost += proposal.cost
        attempt = Attempt(
            step, operator.name, prompt_lib.digest(parent), "declined", proposal.reason
        )
        if proposal.failed:
            broken.add(operator.name)
            attempt = attempt._replace(outcome="failed")
        if proposal.prompt is not None:
            attempt = attempt._replace(child=prompt_lib.digest(proposal.prompt))
            compared = _unseen(proposal.prompt, answers)
            refusal = _refusal(state, proposal.prompt, compared)
            if refusal is None:
                state.seen.add(proposal.prompt)
                return _Child(proposal.prompt, parent, compared, attempt)
            attempt = attempt._replace(outcome=refusal[0], reason=refusal[1])
        state.attempts.append(attempt)
    return None


def _unseen(prompt: types.Prompt, answers: Sequence[contracts.Graded]) -> list[types.Example]:
    examples = [answer.example for answer in answers]
    shown = validity.shown(prompt, examples)
    return [example for example in examples if example not in shown]


def _refusal(
    state: _Round, prompt: types.Prompt, compared: Sequence[types.Example]
) -> tuple[Outcome, str] | None:
    if prompt in state.seen:
        return "duplicate", "this prompt is known already"
    reason = validity.objection(prompt, state.setup.limits, state.setup.data.protected)
    if reason is None and not compared:
        reason = "it shows the whole minibatch, nothing is left to compare on"
    return None if reason is None else ("invalid", reason)


def _gate(state: _Round, children: Sequence[_Child]) -> list[_Child]:
    """Return the children strictly better than their parent, best first; record the others."""
    evaluate = state.setup.evaluate
    tried = evaluate([(child.prompt, child.compared) for child in children])
    known = evaluate([(child.parent, child.compared) for child in children])
    better = []
    for child, own, parents in zip(children, tried, known, strict=True):
        rewards = [sum(answer.score.value for answer in answers) for answers in (parents, own)]
        attempt = child.attempt._replace(
            compared=len(own), parent_reward=rewards[0], child_reward=rewards[1]
        )
        if rewards[1] > rewards[0]:
            better.append(child._replace(attempt=attempt))
        else:
            state.attempts.append(attempt._replace(outcome="no better"))
    return sorted(better, key=lambda child: _gain(child.attempt), reverse=True)


def _gain(attempt: Attempt) -> tuple[float, int]:
    """Return the mean gain; of equal ones, that on more examples counts more."""
    return (attempt.child_reward - attempt.parent_reward) / attempt.compared, attempt.compared


def _promote(state: _Round, ranked: Sequence[_Child]) -> None:
    """Score the best children on the anchors and make them members."""
    anchors, evaluate = state.setup.data.anchors, state.setup.evaluate
    affordable = evaluate.remaining // len(anchors)
    count = min(state.setup.settings.promotions_per_step, affordable)
    scored = _score([child.prompt for child in ranked[:count]], anchors, evaluate)
    for child, member in zip(ranked, scored, strict=False):
        attempt = child.attempt._replace(outcome="scored", anchor_mean=member.mean)
        state.attempts.append(attempt)
        state.members.append(member)
    for child in ranked[count:]:
        state.attempts.append(child.attempt._replace(outcome="outranked"))
