"""Diagnostics: what a run did that its own records do not show, found out from its checkpoints."""

from fastslow import registry
from fastslow.diagnostics import (
    ablation,
    contracts,
    intransigence,
    misallocation,
    plasticity,
    quadrants,
    representation,
)

DIAGNOSTICS: registry.Registry[contracts.Diagnostic] = registry.Registry(
    "diagnostic",
    {
        "ablation": ablation.Ablation,
        "misallocation": misallocation.Misallocation,
        "representation": representation.Representation,
        "quadrants": quadrants.Quadrants,
        "plasticity": plasticity.Plasticity,
        "intransigence": intransigence.Intransigence,
    },
)
