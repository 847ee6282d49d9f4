"""How numbers, costs and outcomes are written for people; one place, so that all outputs agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fastslow import types

MISSING = "–"


def score(value: float | None) -> str:
    """Write a score in [0, 1] with three decimals; a dash for None or NaN."""
    return MISSING if _is_missing(value) else f"{value:.3f}"


def change(value: float | None) -> str:
    """Write a difference of scores with its sign; zero has none."""
    if _is_missing(value):
        return MISSING
    text = f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
    return text if text[1:].strip("0.") else text[1:]


def divergence(value: float | None) -> str:
    """Write a KL divergence in nats per token with three significant digits."""
    if value is None or _is_missing(value):
        return MISSING
    return "0" if value == 0 else f"{value:.3g}" if value >= 1e-4 else f"{value:.1e}"


def count(number: int, noun: str) -> str:
    """Write a number of things: 1 run, 2 runs."""
    return f"{number} {noun}{'s' * (number != 1)}"


def quantity(value: float) -> str:
    """Write a count with a metric prefix: 950, 12.3 k, 4.56 M, 7.8 T."""
    if abs(value) < 9999.5:
        return f"{value:.0f}"
    for unit, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= 0.9995 * unit:  # what rounds to 1000 of the smaller unit is 1 of this one
            return f"{value / unit:.3g} {prefix}"
    return f"{value / 1e3:.3g} k"


def duration(seconds: float | None) -> str:
    """Write a time span: 0.4 s, 12 s, 3 min 20 s, 2 h 05 min."""
    if seconds is None or _is_missing(seconds):
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def tokens(cost: Mapping[str, float]) -> float:
    """Return all tokens of a cost, read, written or trained on."""
    return cost["prompt_tokens"] + cost["completion_tokens"] + cost["train_tokens"]


def budgets(decision: Mapping[str, types.Json]) -> str:
    """Write what a scheduler gave: "fast 48 calls, slow 4 steps", or how much it tries."""
    if decision.get("trials"):
        return f"best of {len(decision['trials'])} trials"
    return trial({"fast": decision["fast_budget"], "slow": decision["slow_steps"]})


def trial(given: Mapping[str, int]) -> str:
    """Write the budgets of both channels: "fast 48 calls, slow 4 steps"."""
    fast, slow = given["fast"], given["slow"]
    parts = [f"fast {fast} calls"] * bool(fast) + [f"slow {slow} steps"] * bool(slow)
    return ", ".join(parts) or "no channel"


def kept(trials: Sequence[Mapping[str, types.Json]]) -> int:
    """Return which of the trials of a lesson was kept: the best, of equals the first."""
    values = [-math.inf if one["value"] is None else one["value"] for one in trials]
    return values.index(max(values))


def decided(row: Mapping[str, types.Json]) -> str:
    """Write what a lesson got, also where it was the best of several trials."""
    tried = row.get("trials")
    if not tried:
        return budgets(row["decision"])
    return f"{trial(tried[kept(tried)]['budgets'])} ({budgets(row['decision'])})"


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
