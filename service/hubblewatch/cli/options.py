"""Options that several subcommands share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar="HUBBLEWATCH_CONFIG",
        help="Settings as YAML; HUBBLEWATCH_… variables override it.",
    ),
]
"""``config: ConfigOption = None``, then ``load_settings(config)``."""
