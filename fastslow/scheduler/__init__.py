"""Policies that decide, lesson by lesson, which channel absorbs it."""

from fastslow import registry, types
from fastslow.scheduler import (
    conflict,
    durable,
    fast_only,
    fast_then_slow,
    gain_cost,
    interleave,
    oracle,
    random_choice,
    slow_only,
)

SCHEDULERS: registry.Registry[types.Scheduler] = registry.Registry(
    "scheduler",
    {
        "interleave": interleave.Interleave,
        "slow_only": slow_only.SlowOnly,
        "fast_only": fast_only.FastOnly,
        "fast_then_slow": fast_then_slow.FastThenSlow,
        "gain_cost": gain_cost.GainCost,
        "conflict": conflict.Conflict,
        "durable": durable.Durable,
        "random": random_choice.Random,
        "oracle": oracle.Oracle,
    },
)
