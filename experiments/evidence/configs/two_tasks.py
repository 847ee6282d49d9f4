"""Movie sentiment, then locations in stories, from seed prompts that show four examples."""

from experiments.configs.two_tasks import get_config, get_test_config

__all__ = ["get_config", "get_test_config"]
