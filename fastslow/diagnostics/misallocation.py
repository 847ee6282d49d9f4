"""Reward that went into the weights though text would have held it, and what it cost in drift."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from fastslow import types
from fastslow.diagnostics import contracts
from fastslow.diagnostics import subject as subjects
from fastslow.metrics import matrix
from fastslow.report import overview, table, wording


class Allocation(NamedTuple):
    """Where the reward of one task sits. Scores are in [0, 1], and NaN = not known.

    With the quadrants {base, trained weights} x {seed, evolved prompt} as bs, be, ts, te:

    weights: W = ts - bs, the gain that the weights carry by themselves.
    prompt: P = be - bs, the gain that the prompt carries by itself.
    on_top: te - be, what the weights add where the prompt is in use.
    covered: min(max(P, 0), W), the part of W that the prompt alone would have given too.
    misallocated: covered / W in [0, 1]: 0 where the prompt gives nothing, 1 where it gives as much
      as the weights. Both are NaN where the weights carry no gain (W <= 0). A share of a small W is
      a share of noise: weights that were taught under evolved prompts may carry little without.
    drift: KL(trained || base) on the task with the prompt, nats per token.
    drift_per_reward: drift / on_top, nats per token for a whole unit of reward (0.01 of it for a
      percentage point). NaN where the weights add nothing on top (te <= be), however large the
      drift; 0 where they add at no drift.
    """

    weights: float
    prompt: float
    on_top: float
    covered: float
    misallocated: float
    drift: float
    drift_per_reward: float


@dataclasses.dataclass(frozen=True)
class Misallocation:
    """Share of the weights' gain that the prompt alone would have given, and drift per reward.

    From the records: the quadrants at the end of the run and the drift at its last evaluation.
    """

    reads: ClassVar[str] = "records only: scores on test items, drift on validation items"

    def measure(self, subject: subjects.Subject) -> contracts.Finding:
        """Return the allocation of every task; needs the end of a finished run."""
        corners = overview.quadrants(subject.rows)
        if not corners:
            raise contracts.NotApplicableError(
                f"{subject.directory}: its records have no quadrants after event "
                f"{subject.position}, they are measured at the end; the diagnostic 'quadrants' "
                "measures them before"
            )
        found = allocations(corners, overview.last_drift(subject.rows))
        return contracts.Finding({"tasks": {name: a._asdict() for name, a in found.items()}})

    def tables(self, values: types.Json) -> list[table.Table]:
        """Return one line per task, and the means over those for which a figure is known."""
        found = {name: _read(told) for name, told in values["tasks"].items()}
        header = (
            "Task",
            "Weights\nalone",
            "Prompt\nalone",
            "Weights\non top",
            "Both\ncarry",
            "Mis-\nallocated",
            "Drift,\nnats",
            "Drift per\nreward",
        )
        body = tuple((name, *_cells(allocation)) for name, allocation in found.items())
        footer = ("average", *_cells(average(found)))
        return [table.Table("What the weights learned that text could hold", header, body, footer)]


def allocations(
    quadrants: Mapping[str, Mapping[str, float]],
    drift: Mapping[str, Mapping[str, Mapping[str, float | None]]],
) -> dict[str, Allocation]:
    """Return the allocation by task.

    `quadrants`: {task: {"base_seed": ..., "base_evolved", "trained_seed", "trained_evolved"}};
    `drift`: {task: {"with_prompt": {"trained_base": nats per token}}}, or without what is unknown.
    """
    return {
        name: allocation(corners, drift.get(name, {}).get("with_prompt", {}).get("trained_base"))
        for name, corners in quadrants.items()
    }


def allocation(corners: Mapping[str, float], drift: float | None) -> Allocation:
    """Return the allocation of one task, see `Allocation`."""
    weights = corners["trained_seed"] - corners["base_seed"]
    prompt = corners["base_evolved"] - corners["base_seed"]
    on_top = corners["trained_evolved"] - corners["base_evolved"]
    spent = math.nan if drift is None else drift
    known = weights > 0 and not math.isnan(prompt)
    covered = min(max(prompt, 0.0), weights) if known else math.nan
    return Allocation(
        weights,
        prompt,
        on_top,
        covered,
        covered / weights if known else math.nan,
        spent,
        spent / on_top if on_top > 0 else math.nan,
    )


def average(found: Mapping[str, Allocation]) -> Allocation:
    """Return the mean of every figure over the tasks for which it is known; ratios are of sums.

    So a task weighs in `misallocated` by what its weights carry. `drift_per_reward` is all drift
    over all that was added on top: drift that bought nothing counts, and where nothing was bought
    in all there is no price.
    """
    columns = zip(*found.values(), strict=True)
    means = Allocation(*(matrix.mean(np.array(column, np.float64)) for column in columns))
    carried = [a for a in found.values() if not math.isnan(a.misallocated)]
    known = [a for a in found.values() if not math.isnan(a.drift + a.on_top)]
    return means._replace(
        misallocated=_ratio([a.covered for a in carried], [a.weights for a in carried]),
        drift_per_reward=_ratio([a.drift for a in known], [a.on_top for a in known]),
    )


def _ratio(parts: Sequence[float], wholes: Sequence[float]) -> float:
    whole = math.fsum(wholes)
    return math.fsum(parts) / whole if whole > 0 else math.nan


def _read(told: Mapping[str, float | None]) -> Allocation:
    return Allocation(**{k: math.nan if v is None else v for k, v in told.items()})


def _cells(found: Allocation) -> tuple[str, ...]:
    gains = (found.weights, found.prompt, found.on_top)
    return (
        *map(wording.change, gains),
        wording.score(found.covered),
        wording.score(found.misallocated),
        wording.divergence(found.drift),
        wording.divergence(found.drift_per_reward),
    )
