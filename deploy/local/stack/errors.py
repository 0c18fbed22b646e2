"""What keeps the stack from running."""


class StackError(Exception):
    """A part could not start, ended by itself or did not answer; the message says which and why."""


class ProgramMissingError(StackError):
    """A program is not installed; the message names its Debian package."""
