"""The slow channel: learning that changes parameters, as little as the lesson needs."""
