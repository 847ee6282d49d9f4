"""The error of everything that is wrong with a stream or its data."""

from fastslow import errors


class StreamError(errors.UserError, ValueError):
    """A stream that cannot be built or data that cannot be used; the message says where and why."""
