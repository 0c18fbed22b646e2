"""`hubblewatch watch`: a live Hubble to alerts in one process, without Kafka."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hubblewatch.cli.options import ConfigOption


def watch(
    config: ConfigOption = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to remember baselines and incidents over a restart; made if it is not "
            "there. Without it every start begins cold.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print alert records as JSON lines.")
    ] = False,
) -> None:
    """Judge the flows of a live Hubble in this one process, and print alerts; until stopped.

    Serves /metrics, /healthz, /readyz and /api/alerts. Needs no Kafka; for more flows than one
    process can judge, or for several who read them, use export and detect.
    """
    from hubblewatch.log import configure_logging
    from hubblewatch.settings import load_settings
    from hubblewatch.watch.command import run_watch

    settings = load_settings(config)
    configure_logging(settings.log)
    run_watch(settings, state, as_json)
