"""Configurations: each file has get_config() and get_test_config()."""
