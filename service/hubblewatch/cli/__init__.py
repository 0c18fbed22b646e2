"""The command ``hubblewatch``: one module per subcommand, listed in ``COMMANDS``."""

from hubblewatch.cli.app import COMMANDS, app
from hubblewatch.cli.main import main

__all__ = ["COMMANDS", "app", "main"]
