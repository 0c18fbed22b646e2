"""`hubblewatch doctor`: is everything there that the service needs?"""

from __future__ import annotations

from typing import Annotated

import typer

from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.cli.options import ConfigOption


def doctor(
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="A running worker or exporter, such as http://127.0.0.1:9464."
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            metavar="NAMESPACE",
            help="Look at its last flows, closed windows and active incidents too.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    config: ConfigOption = None,
) -> None:
    """Check settings, Hubble, Kafka, model, suppressions and a running service; say what to do.

    Exit code 1 if a check failed, 2 if the settings are wrong. Nothing is changed anywhere.
    """
    import logging

    from rich.console import Console

    from hubblewatch.doctor.examine import Order, examine
    from hubblewatch.doctor.show import as_json as encoded
    from hubblewatch.doctor.show import show

    # What the clients log about broken connections is in the report, in plain words.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    report = examine(Order(config, url, namespace))
    if as_json:
        typer.echo(encoded(report))
    else:
        show(report, Console(highlight=False))
    if not report.is_configured:
        raise typer.Exit(ExitCode.WRONG_USE)
    if report.has_failed:
        raise typer.Exit(ExitCode.FAILED)
