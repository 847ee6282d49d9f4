"""Policies that decide, lesson by lesson, which channel absorbs it."""

from collections.abc import Mapping
from typing import Any

from fastslow import config, registry, types
from fastslow.scheduler import (
    checked,
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


def build(name: str, options: Mapping[str, Any]) -> types.Scheduler:
    """Return the policy; raises UnknownNameError, and ConfigError for what is none."""
    policy = SCHEDULERS.build(name, options)
    for budget in ("fast_budget", "slow_steps"):
        if options.get(budget, 0) < 0:
            raise config.ConfigError(
                f"scheduler.{budget} must not be negative, got {options[budget]}"
            )
    checked.policy(policy, name)
    return policy
