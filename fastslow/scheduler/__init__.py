"""Policies that decide, lesson by lesson, which channel absorbs it."""

from fastslow import registry, types
from fastslow.scheduler import fast_only, fast_then_slow, interleave, slow_only

SCHEDULERS: registry.Registry[types.Scheduler] = registry.Registry(
    "scheduler",
    {
        "interleave": interleave.Interleave,
        "slow_only": slow_only.SlowOnly,
        "fast_only": fast_only.FastOnly,
        "fast_then_slow": fast_then_slow.FastThenSlow,
    },
)
