"""Anchors: penalties that keep the weights, or what they say, near an earlier state."""

from fastslow import registry
from fastslow.slow import contracts
from fastslow.slow.anchors import kl, l2sp

ANCHORS: registry.Registry[contracts.Anchor] = registry.Registry(
    "anchor",
    {"l2sp": l2sp.l2sp, "kl_exact": kl.kl_exact, "kl_k3": kl.kl_k3},
    makes=contracts.Anchor,
)
