"""`hubblewatch simulate`: a recording of a simulated cluster, with its ground truth."""

from __future__ import annotations

from typing import Annotated

import typer

from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.errors import ConfigurationError
from hubblewatch.simulate.settings import DEFAULT_START, Aggregation, Size, Vantage


def simulate(
    out: Annotated[
        str, typer.Option(help="Recording to write: .jsonl, .gz, .zst, or - for standard output.")
    ] = "-",
    truth: Annotated[
        str | None, typer.Option(help="Ground truth to write (JSON lines; .gz and .zst too).")
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            help="name[:at=MIN][:for=MIN][:intensity=X]; may be given more than once. "
            "--list-scenarios shows the names."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same cluster.")] = 1,
    minutes: Annotated[float, typer.Option(help="Length of the recording.")] = 30.0,
    start: Annotated[str, typer.Option(help="Begin of the recording, RFC 3339.")] = DEFAULT_START,
    size: Annotated[Size, typer.Option(help="Ranges the cluster is drawn from.")] = Size.MEDIUM,
    nodes: Annotated[int | None, typer.Option(help="Nodes, instead of a drawn number.")] = None,
    namespaces: Annotated[
        int | None, typer.Option(help="Namespaces, instead of a drawn number.")
    ] = None,
    workloads: Annotated[
        int | None, typer.Option(help="Workloads, instead of a drawn number.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Connections a second, instead of a drawn rate.")
    ] = None,
    aggregation: Annotated[
        Aggregation, typer.Option(help="Cilium's monitor aggregation.")
    ] = Aggregation.MEDIUM,
    vantage: Annotated[
        Vantage, typer.Option(help="Which of a connection's nodes report it.")
    ] = Vantage.BOTH,
    duplicate: Annotated[bool, typer.Option("--duplicate", help="Write each line twice.")] = False,
    disorder: Annotated[
        float, typer.Option(help="Let lines arrive up to this many seconds late.")
    ] = 0.0,
    heartbeats: Annotated[
        bool, typer.Option("--heartbeats", help="Write an exporter's heartbeat each second.")
    ] = False,
    list_scenarios: Annotated[
        bool, typer.Option("--list-scenarios", help="Show the scenarios and stop.")
    ] = False,
) -> None:
    """Write what Hubble would record of a simulated cluster, and the truth about it."""
    from hubblewatch.simulate import run, settings, writer
    from hubblewatch.simulate.scenarios import SCENARIOS

    if list_scenarios:
        for name, kind in SCENARIOS.items():
            typer.echo(f"{name:22} {kind.kind:12} {' '.join((kind.__doc__ or '').split())}")
        return
    try:
        config = settings.SimulationConfig(
            seed=seed,
            minutes=minutes,
            start=start,
            scenarios=tuple(settings.ScenarioSpec.parse(text) for text in scenario or ()),
            size=size,
            nodes=nodes,
            namespaces=namespaces,
            workloads=workloads,
            rate=rate,
            aggregation=aggregation,
            vantage=vantage,
            duplicate=duplicate,
            disorder_seconds=disorder,
            heartbeats=heartbeats,
        )
        run.check_scenarios(config)
    except ValueError as error:
        typer.echo(f"hubblewatch simulate: {error}", err=True)
        raise typer.Exit(ExitCode.WRONG_USE) from error
    try:
        writer.write_simulation(config, out, truth)
    except OSError as error:
        if error.filename is None:
            # Of a file that is open already, such as a full disk: the same for all commands.
            raise
        raise ConfigurationError(
            f"cannot write {error.filename}: {error.strerror}; name a file in a directory that "
            "exists and may be written to"
        ) from None
