"""Third-party material that fastslow fetches: the pinned table and its provenance (README.md)."""
