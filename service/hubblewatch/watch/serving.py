"""Metrics, health and alerts of a watch over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from hubblewatch import __version__
from hubblewatch.alert.record import encode_alert
from hubblewatch.metrics import Metrics
from hubblewatch.metrics.kinds import Counter, Gauge
from hubblewatch.metrics.source_families import SourceFamilies
from hubblewatch.metrics.watching import PipelineMetrics
from hubblewatch.pipeline import Closed
from hubblewatch.serve import AlertBoard, Answers, Health, Server
from hubblewatch.settings import ServeSettings
from hubblewatch.watch.run import HubbleWatch

COMPONENT = "watch"
OBSERVE_SECONDS = 1.0


class ServedWatch:
    """Shows a watch to those who ask over HTTP, with the incidents that were open before.

    It is unhealthy when its loop no longer turns. A Hubble that is away is not unhealthy: a restart
    would not bring it back.
    """

    def __init__(self, watch: HubbleWatch, settings: ServeSettings) -> None:
        registry = CollectorRegistry()
        self._watch = watch
        self._metrics = Metrics(registry, version=__version__, clock=time.time)
        self._pipeline = PipelineMetrics(self._metrics, watch.pipeline)
        self._source = SourceFamilies(registry, watch.stream, time.time)
        self._failures = Counter(
            "hubblewatch_state_failures_total", "Times that the state could not be written."
        )
        self._unseen = Gauge(
            "hubblewatch_unseen_windows",
            "Windows between the last run and this one that nobody watched.",
        )
        self._unseen.set((), watch.beginning.unseen_windows)
        registry.register(self._failures)
        registry.register(self._unseen)
        self._board = AlertBoard()
        standing = watch.pipeline.incidents.standing()
        self._metrics.restore(standing)
        for alert in standing:
            self._board.record(encode_alert(alert))
        self._health = Health(time.monotonic)
        # It must always move, so it always has something to do.
        self._health.lag(COMPONENT, 1)
        self._server = Server(
            Answers(registry, self._health, self._board), settings.host, settings.port
        )
        host = settings.host
        self.address = f"{f'[{host}]' if ':' in host else host}:{self._server.port}"
        """Where it listens, as host:port."""
        self._observed_at = 0.0
        self._known_failures = 0

    def observe(self, closed: Closed) -> None:
        """Take a closing into metrics and alerts."""
        self._pipeline.observe(closed)
        if self._watch.model is not None:
            self._metrics.show_model(self._watch.model.described)
        for alert in closed.alerts:
            self._board.record(encode_alert(alert))

    def tick(self) -> None:
        """Bring metrics and health up to date, once a second."""
        now = time.monotonic()
        self._health.progress(COMPONENT, now)
        if now - self._observed_at < OBSERVE_SECONDS:
            return
        self._observed_at = now
        self._pipeline.observe_intake()
        self._source.observe()
        if self._watch.state is not None:
            failures = self._watch.state.failures
            self._failures.add((), failures - self._known_failures)
            self._known_failures = failures

    @contextmanager
    def served(self) -> Iterator[None]:
        """While in here, answer."""
        with self._server:
            self._health.set_ready()
            yield
            self._health.set_ready(False)
