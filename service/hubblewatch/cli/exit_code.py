"""What the command's exit code tells a script."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The command's exit codes; commands raise ``typer.Exit(ExitCode.…)`` for another than done."""

    DONE = 0
    FAILED = 1
    """Anything that the others do not say."""

    WRONG_USE = 2
    """Wrong use or configuration; nothing was started."""

    ALERTS_FOUND = 3
    """``replay --fail-on SEVERITY`` met an alert of that severity."""

    INTERRUPTED = 130
    """Ctrl-C, as shells report it."""
