"""Objectives: what a step learns from, and the loss it differentiates."""

from fastslow import registry
from fastslow.slow import contracts
from fastslow.slow.objectives import cispo, grpo, sft

OBJECTIVES: registry.Registry[contracts.Objective] = registry.Registry(
    "objective",
    {"sft": sft.sft, "grpo": grpo.grpo, "cispo": cispo.cispo},
    makes=contracts.Objective,
)
