"""Prompts scored on examples by one policy, in batches, within a budget of metric calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastslow import seeds, types
from fastslow.evaluation import scorers
from fastslow.fast import prompt as prompt_lib
from fastslow.fast.proposers import contracts

Job = tuple[types.Prompt, Sequence[types.Example]]


class BudgetError(RuntimeError):
    """More metric calls were asked for than are left: the caller did not look at `price`."""


class PromptScorer:
    """Scores (prompt, example) pairs and counts what that costs.

    It lives as long as one round and holds one policy, whose weights are frozen: a pair asked for
    again is answered from memory and costs nothing. It must not outlive a change of the weights.
    """

    def __init__(
        self,
        policy: types.Policy,
        scorer: types.Scorer,
        *,
        budget: int,
        temperature: float,
        max_tokens: int,
        seed: int,
    ):
        self.cost = types.Cost()
        self._policy = policy
        self._scorer = scorer
        self.budget = budget
        self._sampling = {"temperature": temperature, "max_tokens": max_tokens}
        self._seed = seed
        self._known: dict[tuple[types.Prompt, str], contracts.Graded] = {}

    @property
    def remaining(self) -> int:
        """Metric calls that are left."""
        return self.budget - self.cost.metric_calls

    def price(self, jobs: Iterable[Job]) -> int:
        """Return the metric calls that these jobs would take."""
        return len(self._missing(jobs))

    def __call__(self, jobs: Sequence[Job]) -> list[list[contracts.Graded]]:
        """Answer and score every example under every job's prompt, as one batch for the policy.

        Raises BudgetError, before anything is asked, if that takes more calls than remain.
        """
        missing = self._missing(jobs)
        if len(missing) > self.remaining:
            raise BudgetError(f"{len(missing)} metric calls wanted, {self.remaining} left")
        if missing:
            self._ask(missing)
        return [[self._known[prompt, e.id] for e in examples] for prompt, examples in jobs]

    def _missing(self, jobs: Iterable[Job]) -> list[tuple[types.Prompt, types.Example]]:
        pairs = {(prompt, e.id): (prompt, e) for prompt, examples in jobs for e in examples}
        return [pair for key, pair in pairs.items() if key not in self._known]

    def _ask(self, pairs: Sequence[tuple[types.Prompt, types.Example]]) -> None:
        # One seed per example, whatever the prompt: all are compared on the same random numbers.
        queries = [
            types.Query(prompt_lib.messages(prompt, e.input), seeds.derive(self._seed, e.id))
            for prompt, e in pairs
        ]
        completions, cost = self._policy.complete(queries, **self._sampling)  # type: ignore[arg-type]
        self.cost += cost + types.Cost(metric_calls=len(pairs))
        for (prompt, example), completion in zip(pairs, completions, strict=True):
            score = scorers.score(self._scorer, completion.answer, example)
            self._known[prompt, example.id] = contracts.Graded(example, completion.answer, score)
