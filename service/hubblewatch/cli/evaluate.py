"""``hubblewatch evaluate``: how well detection finds what is labelled, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.cli.options import ConfigOption
from hubblewatch.simulate.settings import Size


def evaluate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECORDING]...", help="Labelled recordings; else simulated ones."),
    ] = None,
    truth: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Truth of a recording, as simulate writes it, compressed or not."
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="DIRECTORY", help="Model, instead of that of the settings."),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Simulated scenario; may be given more than once. Default: all."),
    ] = None,
    intensity: Annotated[
        list[float] | None,
        typer.Option(min=0.01, help="How strong the attacks are; repeatable. Default: 0.5, 1, 2."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Clusters for each scenario.")] = 3,
    first_seed: Annotated[int, typer.Option(min=1, help="Number of the first of them.")] = 9001,
    minutes: Annotated[float, typer.Option(min=30, help="Length of each; attacks at half.")] = 60.0,
    size: Annotated[Size, typer.Option(help="Size of the clusters.")] = Size.MEDIUM,
    rate: Annotated[float, typer.Option(min=0.1, help="Connections a second in each.")] = 5.0,
    system: Annotated[
        list[str] | None,
        typer.Option(help="System to judge, as the tables name it; repeatable. Default: all."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Six attacks and quiet, intensity 1, two clusters each.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON.")
    ] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the tables.")
    ] = None,
    config: ConfigOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Judge rules, baselines and forest on labelled recordings, beside what is found elsewhere."""
    from hubblewatch.evaluate import command, plan
    from hubblewatch.evaluate.systems import SYSTEMS
    from hubblewatch.settings import load_settings

    settings = load_settings(config)
    if model is not None:
        wanted = settings.model.model_copy(update={"path": model})
        settings = settings.model_copy(update={"model": wanted})
    names = tuple(scenario or ())
    if quick:
        chosen = names or (*plan.QUICK_ATTACKS, plan.QUIET)
        strengths: tuple[float, ...] = tuple(intensity or (1.0,))
        count = min(seeds, 2)
    else:
        chosen = names or plan.all_scenarios()
        strengths = tuple(intensity or (0.5, 1.0, 2.0))
        count = seeds
    evaluation = command.evaluate(
        command.EvaluationOrder(
            plan=plan.EvaluationPlan(
                attacks=chosen,
                intensities=strengths,
                seeds=tuple(range(first_seed, first_seed + count)),
                minutes=minutes,
                size=size,
                rate=rate,
            ),
            systems=tuple(system or SYSTEMS),
            files=tuple(files or ()),
            truths=tuple(truth or ()),
            json_file=json_file,
            markdown_file=markdown_file,
            quiet=quiet,
        ),
        settings,
    )
    if evaluation.is_damaged:
        raise typer.Exit(ExitCode.FAILED)
