"""Adapters: which numbers are trained, and how they change the base parameters."""

from fastslow import registry
from fastslow.slow import contracts
from fastslow.slow.adapters import full, lora

ADAPTERS: registry.Registry[contracts.Adapter] = registry.Registry(
    "adapter", {"full": full.full, "lora": lora.lora}, makes=contracts.Adapter
)
