"""Continual learning in two places: slow weights and fast prompts."""
