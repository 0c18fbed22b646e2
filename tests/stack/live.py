"""A service that has something to show in every family, and what a scrape of it finds."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from tests.metrics.building import Alert, ClosedNow, Counts
from tests.serve.building import HandClock
from tests.stack.exporting import exporting

from hubblewatch import __version__
from hubblewatch.metrics import Metrics
from hubblewatch.serve import AlertBoard, Answers, Health, Server
from hubblewatch.worker.metrics import WorkerFamilies

Samples = dict[str, list[dict[str, str]]]
"""Label sets by the name of the metric, as a selector names it."""


class Live:
    """Metrics that a test changes, served on loopback."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.health = Health(self.clock)
        self.metrics = Metrics(CollectorRegistry(), version=__version__, clock=time.time, cap=50)
        self.worker = WorkerFamilies(self.metrics.registry)
        answers = Answers(self.metrics.registry, self.health, AlertBoard())
        self.server = Server(answers, "127.0.0.1", 0)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def close(self, *alerts: Alert) -> None:
        """A window ends now, with these alerts."""
        now = int(time.time())
        self.metrics.observe_closing(ClosedNow(start=now - 60, end=now, alerts=alerts))

    def fill(self) -> None:
        """Put a sample into every family."""
        second = 1_000_000_000
        now = time.time_ns()
        self.metrics.observe_closing(
            ClosedNow(
                start=now // second - 60,
                end=now // second,
                attempts={
                    (f"namespace-{n}", protocol, outcome): n + 1
                    for n in range(3)
                    for protocol in ("tcp", "udp")
                    for outcome in ("allowed", "denied", "audited", "dropped", "failed")
                },
                alerts=[
                    *(Alert(s, severity=s) for s in ("critical", "warning", "info")),
                    Alert("trial", detector="isolation-forest", shadow=True),
                ],
                suppressed={"backup": 1},
                subjects=3,
                connections=5,
                open_incidents=3,
                refused_incidents=1,
            )
        )
        self.metrics.observe_intake(
            Counts(
                flows={"FORWARDED": 90, "DROPPED": 9},
                lost={"HUBBLE_RING_BUFFER": 1},
                rejects={"malformed": 1},
                nodes={"connected": 3},
                newest_event_ns=now,
                watermark_ns=now - 10 * second,
            )
        )
        self.metrics.observe_scores([("namespace-0", "cart", 0.5)])
        self.metrics.set_consumer_lag("0", 3)
        self.metrics.set_model("forest", "1", "active")


@contextmanager
def served() -> Iterator[Live]:
    """A live service for the time in here."""
    live = Live()
    with live.server:
        yield live


def scrape(address: str) -> Samples:
    """What Prometheus would read at ``address``."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as response:
        text = response.read().decode()
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels))
    return found


def everything_scraped() -> Samples:
    """What Prometheus would read of a worker and of exporters, all families filled."""
    with served() as live, exporting() as exporters:
        live.fill()
        found: Samples = {}
        for address in (live.address, *exporters):
            for name, labels in scrape(address).items():
                found.setdefault(name, []).extend(labels)
        return found
