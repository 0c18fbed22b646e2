"""``hubblewatch replay``: recordings to alerts, and a report of what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.cli.options import ConfigOption
from hubblewatch.detectors.finding import Severity


def replay(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Recordings: Hubble's JSON lines, plain, gzip or zstd; - is standard input. "
            "Several are merged by time.",
        ),
    ],
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print alert records as JSON lines, and nothing else."),
    ] = False,
    windows: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write each closed window as a line of JSON; - is standard output."
        ),
    ] = None,
    fail_on: Annotated[
        Severity | None,
        typer.Option(help="Exit with code 3 if an alert of this severity or worse fired."),
    ] = None,
    config: ConfigOption = None,
    suppressions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What is known and shall not raise alerts, as YAML; "
            "instead of that of the settings.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY",
            help="Model of the isolation forest, instead of that of the settings.",
        ),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY",
            help="Replay once more with this model, and show what it would change.",
        ),
    ] = None,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Serve /metrics, /healthz, /readyz and /api/alerts during the replay and after "
            "it, until Ctrl-C.",
        ),
    ] = False,
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where --serve listens, instead of the settings."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no report; errors still show.")
    ] = False,
) -> None:
    """Find anomalies in recordings of Hubble's flows, and report what they show."""
    from hubblewatch.replay.command import Command, Wishes, with_model
    from hubblewatch.settings import load_settings

    settings = load_settings(config)
    if suppressions is not None:
        settings = settings.model_copy(update={"suppressions": suppressions})
    if model is not None:
        settings = with_model(settings, model)
    command = Command(
        settings,
        files,
        Wishes(
            as_json=as_json,
            windows=windows,
            serves=serve or listen is not None,
            listen=listen,
            quiet=quiet,
            compare=compare,
        ),
    )
    outcome = command.run()
    if outcome.is_interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if fail_on is not None and outcome.worst is not None and outcome.worst.rank >= fail_on.rank:
        raise typer.Exit(ExitCode.ALERTS_FOUND)
    if outcome.is_damaged:
        raise typer.Exit(ExitCode.FAILED)
