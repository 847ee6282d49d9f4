"""What the user can mend."""


class UserError(Exception):
    """The message says what is wrong and what to do: programs print it without a traceback."""
