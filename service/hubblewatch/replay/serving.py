"""Metrics, health and alerts of a replay over HTTP, as the service itself has them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from hubblewatch import __version__
from hubblewatch.alert.record import encode_alert
from hubblewatch.metrics import Metrics
from hubblewatch.metrics.watching import PipelineMetrics
from hubblewatch.model.directory import ModelDirectory
from hubblewatch.pipeline import Closed, Pipeline
from hubblewatch.serve import AlertBoard, Answers, Health, Server

COMPONENT = "replay"


class ServedReplay:
    """Observes closings for those who ask over HTTP; ``port`` is the one that is listened on."""

    def __init__(
        self, pipeline: Pipeline, host: str, port: int, model: ModelDirectory | None = None
    ) -> None:
        registry = CollectorRegistry()
        # Without a clock: how far the past lies back says nothing about the replay.
        self._metrics = Metrics(registry, version=__version__)
        self._watching = PipelineMetrics(self._metrics, pipeline)
        self._model = model
        self._board = AlertBoard()
        self._health = Health(time.monotonic)
        self._server = Server(Answers(registry, self._health, self._board), host, port)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    def observe(self, closed: Closed) -> None:
        """Take a closing into metrics and alerts."""
        self._watching.observe(closed)
        if self._model is not None:
            self._metrics.show_model(self._model.described)
        for alert in closed.alerts:
            self._board.record(encode_alert(alert))
        self._health.progress(COMPONENT)

    def complete(self) -> None:
        """Take what arrived after the last closing, such as a rejected last line."""
        self._watching.observe_intake()

    @contextmanager
    def served(self) -> Iterator[None]:
        """While in here, answer."""
        with self._server:
            self._health.set_ready()
            yield
