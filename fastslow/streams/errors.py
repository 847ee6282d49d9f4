"""The error of everything that is wrong with a stream or its data."""


class StreamError(ValueError):
    """A stream that cannot be built or data that cannot be used; the message says where and why."""
