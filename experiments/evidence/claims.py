"""What is claimed, and what would show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from experiments.evidence import effects, grids, judging


class Claim(NamedTuple):
    """A statement, the grids whose runs it is judged on, its measurable parts, and what they read.

    `probes` are the diagnostics that must have been asked of the runs.
    """

    statement: str
    grids: tuple[str, ...]
    parts: tuple[judging.Part, ...]
    probes: tuple[grids.Probe, ...] = ()


_FST, _SLOW = "two_tasks/interleave", "two_tasks/slow_only"
_INTERLEAVED = "interleave at matched budgets"


def _adaptive(stream: str) -> tuple[judging.Part, ...]:
    """Return the parts of "an adaptive policy beats interleave at equal cost" on one stream."""
    ours, matched = f"{stream}/gain_cost", f"{stream}_matched/interleave"
    lot, bound = f"{stream}/random", f"{stream}/oracle"
    accuracy = effects.change(effects.average_accuracy)
    forgetting = effects.change(effects.forgetting)
    part, between = judging.Part, effects.between
    return (
        part(
            f"{stream}: compute (FLOP) over that of {_INTERLEAVED}",
            between(ours, matched, effects.relative_cost("flops")),
            "at most",
            1.1,
            symmetric=True,
        ),
        part(
            f"{stream}: final average accuracy minus that of {_INTERLEAVED}",
            between(ours, matched, accuracy),
            "above",
            0.0,
        ),
        part(
            f"{stream}: forgetting minus that of {_INTERLEAVED}",
            between(ours, matched, forgetting),
            "below",
            0.0,
        ),
        part(
            f"{stream}: final average accuracy minus that of a channel drawn by lot",
            between(ours, lot, accuracy),
            "above",
            0.0,
        ),
        part(
            f"{stream}: final average accuracy minus that of the oracle",
            between(ours, bound, accuracy),
            "at least",
            -0.1,
        ),
    )


CLAIMS: Mapping[str, Claim] = {
    "better_end": Claim(
        "Fast-Slow Training ends with better scores than either channel alone.",
        ("two_tasks",),
        tuple(
            judging.Part(
                f"final average accuracy minus that of {alone}",
                effects.between(
                    _FST, f"two_tasks/{alone}", effects.change(effects.average_accuracy)
                ),
                "above",
                0.0,
            )
            for alone in ("slow_only", "fast_only")
        ),
    ),
    "fewer_steps": Claim(
        "Fast-Slow Training reaches slow-only's best score in at most 1/1.4 of its slow steps.",
        ("two_tasks",),
        (
            judging.Part(
                "slow steps to slow-only's best, over slow-only's own",
                effects.between(_FST, _SLOW, effects.relative_steps),
                "at most",
                1 / 1.4,
            ),
        ),
    ),
    "less_drift": Claim(
        "At matched score, Fast-Slow Training drifts at most half as far from the base model.",
        ("two_tasks",),
        (
            judging.Part(
                "drift at matched score, over slow-only's",
                effects.between(_FST, _SLOW, effects.relative_drift),
                "at most",
                0.5,
                symmetric=True,
            ),
        ),
    ),
    "less_forgetting": Claim(
        "Fast-Slow Training forgets less than slow-only training.",
        ("two_tasks",),
        (
            judging.Part(
                "forgetting minus slow-only's",
                effects.between(_FST, _SLOW, effects.change(effects.forgetting)),
                "below",
                0.0,
            ),
        ),
    ),
    "plasticity": Claim(
        "After Fast-Slow Training the weights learn a new task as well as the base model's do, "
        "within 0.05.",
        ("mixed_matched",),
        (
            judging.Part(
                "score of fresh training on a new task minus that from the base",
                effects.of("mixed_matched/interleave", effects.plasticity),
                "at least",
                -0.05,
            ),
        ),
        (
            grids.Probe(
                "mixed_matched", "interleave", "plasticity", ("--probe_task=heart_disease",)
            ),
        ),
    ),
    "zero_start": Claim(
        "From seed prompts without reward, slow-only stays near zero while Fast-Slow leaves it.",
        ("zero_start",),
        (
            judging.Part(
                "learning accuracy of slow-only",
                effects.of("zero_start/slow_only", effects.learning_accuracy),
                "at most",
                0.1,
            ),
            judging.Part(
                "learning accuracy of Fast-Slow Training",
                effects.of("zero_start/interleave", effects.learning_accuracy),
                "at least",
                0.3,
            ),
        ),
    ),
    "adaptive": Claim(
        "The adaptive policy beats interleaving at equal cost, and a channel drawn by lot, and is "
        "within 0.1 of the oracle.",
        ("mixed", "mixed_matched", "recurring", "recurring_matched"),
        (*_adaptive("mixed"), *_adaptive("recurring")),
    ),
    "allocation": Claim(
        "The adaptive policy gives conventions (reinforced) to the prompts and skills (taught by "
        "examples) to the weights.",
        ("conventions", "skills"),
        (
            judging.Part(
                "share of convention lessons given to the prompts alone",
                effects.of("conventions/gain_cost", effects.share_fast()),
                "at least",
                0.8,
            ),
            judging.Part(
                "share of skill lessons given to the weights alone",
                effects.of("skills/gain_cost", effects.share_slow()),
                "at least",
                0.8,
            ),
        ),
    ),
}
