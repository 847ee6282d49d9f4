"""Continual-learning metrics: pure functions over accuracy matrices, logits and record rows."""
