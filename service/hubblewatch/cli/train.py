"""``hubblewatch train``: a model from quiet times, recorded or closed, or simulated clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.cli.options import ConfigOption


def train(
    out: Annotated[Path, typer.Option(metavar="DIRECTORY", help="Where the model is written.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECORDING]...",
            help="Recordings of usual days: plain, gzip or zstd; several are merged by time.",
        ),
    ] = None,
    simulate: Annotated[
        Path | None,
        typer.Option(
            metavar="RECIPE", help="Train on the simulated clusters of a recipe (YAML) instead."
        ),
    ] = None,
    from_topic: Annotated[
        bool,
        typer.Option(
            "--from-topic",
            help="Train on the windows that workers closed (topic hubble.windows) instead.",
        ),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="With --from-topic: first window, RFC 3339 or ago (14d, 36h)."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="With --from-topic: where to end; by default now."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the model; by default the recipe's, or the directory's."),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Alerts a day and 100 subjects; by default the recipe's, or 0.5."
        ),
    ] = None,
    split: Annotated[
        float,
        typer.Option(
            min=0.2, max=0.9, help="Of recordings and the topic: the earlier share, fitted on."
        ),
    ] = 0.7,
    jobs: Annotated[
        int, typer.Option(min=1, max=64, help="Simulated clusters at work at the same time.")
    ] = 1,
    config: ConfigOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Fit an isolation forest to quiet traffic, find its threshold, and write the model."""
    from hubblewatch.settings import load_settings
    from hubblewatch.train.command import TrainingOrder, train_model

    training = train_model(
        TrainingOrder(
            out=out,
            files=tuple(files or ()),
            recipe=simulate,
            from_topic=from_topic,
            since=since,
            until=until,
            name=name,
            budget=budget,
            split=split,
            jobs=jobs,
            quiet=quiet,
        ),
        load_settings(config),
    )
    if training.is_damaged:
        raise typer.Exit(ExitCode.FAILED)
