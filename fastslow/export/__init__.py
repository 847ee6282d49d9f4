"""Formats in which other libraries read what a run has learned.

A format is a function that writes its files into `directory` (made, empty) and returns Markdown
that tells how to load them. It takes what it names of: `learned`, `directory`, `dtype`.
"""

from fastslow import registry
from fastslow.export import adapter, base, merged, prompts

FORMATS: registry.Registry[str] = registry.Registry(
    "export format",
    {
        "prompts": prompts.prompts,
        "adapter": adapter.adapter,
        "merged": merged.merged,
        "base": base.base,
    },
)
