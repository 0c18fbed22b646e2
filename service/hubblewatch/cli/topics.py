"""`hubblewatch topics`: creates or checks the topics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubblewatch.cli.exit_code import ExitCode
from hubblewatch.cli.options import ConfigOption

if TYPE_CHECKING:
    from hubblewatch.kafka.topic_report import TopicsReport, TopicState
    from hubblewatch.settings import KafkaSettings


def topics(
    config: ConfigOption = None,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Create what is missing and change what differs."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.")
    ] = False,
) -> None:
    """Compare the topics in Kafka with those that the settings want; changes only by --apply.

    Exit code 0 if all is as wanted, 1 if something is left to do.
    """
    import asyncio

    from hubblewatch.kafka.log_limit import limit_logs
    from hubblewatch.kafka.topic_admin import apply_topics, check_topics
    from hubblewatch.settings import load_settings

    settings = load_settings(config).kafka
    limit_logs()
    report = asyncio.run((apply_topics if apply else check_topics)(settings))
    if as_json:
        typer.echo(json.dumps(_record(settings, report, apply), indent=2))
    else:
        _show(settings, report, apply)
    if not report.as_wanted:
        raise typer.Exit(ExitCode.FAILED)


def _record(settings: KafkaSettings, report: TopicsReport, applied: bool) -> dict[str, Any]:
    return {
        "bootstrap_servers": settings.servers,
        "as_wanted": report.as_wanted,
        "applied": applied,
        "obstacles": list(report.obstacles),
        "topics": [
            {
                "name": topic.wanted.name,
                "state": topic.state.replace(" ", "-"),
                "wanted": {
                    "partitions": topic.wanted.partitions,
                    "replication_factor": topic.wanted.replication_factor,
                    "config": dict(topic.wanted.config),
                },
                "found": topic.found
                and {
                    "partitions": topic.found.partitions,
                    "replication_factor": topic.found.replication_factor,
                },
                "differences": [
                    {
                        "field": each.field,
                        "wanted": each.wanted,
                        "found": each.found,
                        "remedy": each.remedy,
                        "appliable": each.appliable,
                    }
                    for each in topic.differences
                ],
                "unchecked": topic.unchecked,
            }
            for topic in report.topics
        ],
    }


def _show(settings: KafkaSettings, report: TopicsReport, applied: bool) -> None:
    typer.echo(f"topics at {settings.bootstrap_servers}")
    rows = [
        (topic.wanted.name, topic.state, line) for topic in report.topics for line in _lines(topic)
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    last = ""
    for name, state, line in rows:
        shown = (name, state) if name != last else ("", "")
        last = name
        typer.echo(f"  {shown[0]:{widths[0]}}  {shown[1]:{widths[1]}}  {line}".rstrip())
    if report.as_wanted:
        typer.echo("all topics are as wanted")
    elif not applied:
        typer.echo("nothing was changed; hubblewatch topics --apply does what it can")
    else:
        typer.echo("this is left to do", err=True)


def _lines(topic: TopicState) -> list[str]:
    wanted = topic.wanted
    if topic.found is None:
        return [
            f"to be created with partitions={wanted.partitions}, "
            f"replication.factor={wanted.replication_factor}",
            *(f"  {name}={value}" for name, value in wanted.config.items()),
        ]
    partitions, copies = topic.found.partitions, topic.found.replication_factor
    found = (
        f"{partitions} {'partition' if partitions == 1 else 'partitions'}, "
        f"{copies} {'copy' if copies == 1 else 'copies'}"
    )
    lines = [found] if not topic.differences else []
    lines += [
        f"{each.field} is {each.found}, wanted is {each.wanted}: {each.remedy}"
        for each in topic.differences
    ]
    if topic.unchecked is not None:
        lines.append(f"its settings could not be read: {topic.unchecked}")
    return lines
