"""What a run leaves behind, for people and programs: records, predictions, tables, figures."""

from fastslow.report.runs import load_runs

__all__ = ["load_runs"]
