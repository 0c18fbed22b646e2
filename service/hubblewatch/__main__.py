"""``python -m hubblewatch`` is the command ``hubblewatch``."""

import sys

INTERRUPTED = 130
"""As in ``hubblewatch.cli.exit_code``, which may not be loaded yet."""


def run() -> int:
    """Run the command and return its exit code; no traceback if Ctrl-C comes while it loads."""
    try:
        from hubblewatch.cli import main

        return main()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(run())
