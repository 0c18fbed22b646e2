"""`hubblewatch detect`: the worker that turns the flows in Kafka into windows and alerts."""

from __future__ import annotations

from hubblewatch.cli.options import ConfigOption


def detect(config: ConfigOption = None) -> None:
    """Read flows from Kafka, judge them, and write windows and alerts back; until stopped.

    Waits for Kafka and the topics, whatever starts first. Several workers share the partitions.
    """
    from hubblewatch.log import configure_logging
    from hubblewatch.settings import load_settings
    from hubblewatch.worker.command import run_worker

    settings = load_settings(config)
    configure_logging(settings.log)
    run_worker(settings)
