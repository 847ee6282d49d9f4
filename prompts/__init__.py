"""Package data: prompt files and templates in Markdown, loaded by name with `fastslow.fast`."""
