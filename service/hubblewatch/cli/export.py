"""`hubblewatch export`: Hubble's flows to Kafka."""

from __future__ import annotations

from typing import Annotated

import typer

from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.cli.options import ConfigOption


def export(
    recordings: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Recording to export: Hubble's JSON lines, plain, gzip or zstd; - is standard "
            "input. May be given more than once; several are merged by time. Without it (or with "
            "'hubble') the flows come live from the Hubble of the settings.",
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="Follow the agent's export files, over rotations and restarts: those of --from "
            "(paths or quoted patterns), or of export.follow.files.",
        ),
    ] = False,
    speed: Annotated[
        str,
        typer.Option(
            metavar="SPEED",
            help="max; recorded, which follows event time; or how many times as fast, such as 10.",
        ),
    ] = "max",
    final_heartbeat: Annotated[
        bool,
        typer.Option(
            help="End with the heartbeat that lets workers close the last window. Leave it out "
            "if the recording's continuation is exported next."
        ),
    ] = True,
    config: ConfigOption = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve /metrics, /healthz and /readyz meanwhile.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary; errors still show.")
    ] = False,
) -> None:
    """Send flows to Kafka, each to the partition of its namespace.

    Waits for Kafka and the topics, and for Hubble, whatever starts first; nothing of a recording
    is lost meanwhile, and of a live Hubble nothing that it still has.
    """
    from hubblewatch.export.command import Command, Wishes
    from hubblewatch.log import configure_logging
    from hubblewatch.settings import load_settings

    settings = load_settings(config)
    configure_logging(settings.log)
    wishes = Wishes(
        speed=speed, closes_last=final_heartbeat, serves=serve, quiet=quiet, follows=follow
    )
    outcome = Command(settings, recordings or [], wishes).run()
    if outcome.is_interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if outcome.is_damaged:
        raise typer.Exit(ExitCode.FAILED)
