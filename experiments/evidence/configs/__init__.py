"""Configurations of the runs behind the claims."""
