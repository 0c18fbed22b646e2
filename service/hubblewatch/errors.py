"""What stops the work. Expected conditions (late, malformed, suppressed) are values, not errors.

HubblewatchError
└── ConfigurationError
"""


class HubblewatchError(Exception):
    """Something that stops the work; its message is written for the person who reads it."""


class ConfigurationError(HubblewatchError):
    """A setting, an argument or a file named by one is wrong; the message says which and how."""
