"""Scoring a learner on the test splits of tasks."""
