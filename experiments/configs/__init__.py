"""Configurations: each file has get_config() and, but for defaults.py, get_test_config()."""
