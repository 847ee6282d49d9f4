"""What a run leaves behind, for people and programs: records, predictions, tables, figures."""
