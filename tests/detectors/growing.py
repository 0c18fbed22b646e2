"""Traffic that grows a little each window, shown to all detectors at once."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt
from random import Random

from msgspec import Struct
from tests.closings import CART, FIRST, SIZE, attempts, closing_of

from hubblewatch.attempt.evidence import Outcome
from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.finding import Finding, Severity
from hubblewatch.detectors.registry import build_detectors
from hubblewatch.detectors.settings import DetectorSettings
from hubblewatch.window.closed import OUTBOUND, ClosedWindow, Subject

WORKLOADS = (CART, Subject("shop", "stock", OUTBOUND), Subject("shop", "pay", OUTBOUND))


class Growth(Struct):
    """When a detector first spoke: window of the growth (None: never), and at how many times."""

    window: int | None
    multiple: float
    false: int
    """Windows in which it spoke in the second half of the time before."""


class Cluster:
    """Three workloads that always do the same, all detectors, and their memory."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.memory = Memory()
        self.number = FIRST
        self.made = 0
        self._fraction = 0.0
        self._detectors = build_detectors(DetectorSettings())
        self._windows: dict[Subject, ClosedWindow] = {}

    def window(self, subject: Subject = CART) -> ClosedWindow:
        """Give a subject's window that closes next."""
        if subject not in self._windows:
            start = self.number * SIZE
            self._windows[subject] = ClosedWindow(subject, start, start + SIZE, "default")
        return self._windows[subject]

    def count(self, mean: float) -> int:
        """Give a random count of that mean."""
        if mean > 50:
            return max(0, round(self.rng.gauss(mean, sqrt(mean))))
        limit, count, product = exp(-mean), -1, 1.0
        while product > limit:
            product *= self.rng.random()
            count += 1
        return count

    def fresh(self, mean: float) -> range:
        """Give numbers never given before, that many a window in the mean."""
        self._fraction += mean
        number = int(self._fraction)
        self._fraction -= number
        self.made += number
        return range(self.made - number, self.made)

    def close(self) -> list[Finding]:
        """Close a window in which all do the usual, beside what was added; give what pages."""
        for subject in WORKLOADS:
            window = self.window(subject)
            attempts(window, self.count(40) + 1, to="shop/db")
            attempts(window, self.count(15), to="kube-system/dns", port=53, protocol="udp")
        closing = closing_of(self._windows.values(), self.number)
        closing.age = self.number - FIRST
        self.memory.meet(closing)
        found = [f for d in self._detectors for f in d.inspect(closing, self.memory)]
        paging = [f for f in found if f.severity is not Severity.INFO and not f.shadow]
        self.memory.learn(closing, (finding.subject for finding in paging))
        self._windows = {}
        self.number += 1
        return paging


Traffic = Callable[[Cluster, float], None]


def grow(
    detector: str, traffic: Traffic, usual: float, rate: float, settled: int, seed: int = 5
) -> Growth:
    """Let ``traffic`` be usual for ``settled`` windows, then grow by ``rate`` in each of a day."""
    cluster = Cluster(seed)
    false = 0
    for number in range(settled):
        traffic(cluster, usual)
        told = any(finding.detector == detector for finding in cluster.close())
        false += told and number >= settled // 2
    for number in range(1, 24 * 60 + 1):
        multiple = (1 + rate) ** number
        traffic(cluster, usual * min(multiple, 1_000))
        if any(finding.detector == detector for finding in cluster.close()):
            return Growth(number, multiple, false)
    return Growth(None, 0.0, false)


def denied(cluster: Cluster, mean: float) -> None:
    attempts(cluster.window(), cluster.count(mean), to="shop/x", outcome=Outcome.DENIED)


def failed(cluster: Cluster, mean: float) -> None:
    attempts(cluster.window(), cluster.count(mean), to="shop/y", outcome=Outcome.FAILED)


def udp(cluster: Cluster, mean: float) -> None:
    attempts(cluster.window(), cluster.count(mean), "shop/statsd", 8125, "udp")


def udp_of_all(cluster: Cluster, mean: float) -> None:
    for subject in WORKLOADS:
        attempts(cluster.window(subject), cluster.count(mean), "shop/statsd", 8125, "udp")


def ports(cluster: Cluster, mean: float) -> None:
    for number in cluster.fresh(mean):
        attempts(
            cluster.window(), 1, "shop/z", 1_000 + number, outcome=Outcome.FAILED,
            address="10.0.0.9",
        )  # fmt: skip


def addresses(cluster: Cluster, mean: float) -> None:
    for number in cluster.fresh(mean):
        attempts(
            cluster.window(), 1, f"shop/h{number}", 22, outcome=Outcome.FAILED,
            address=f"10.1.{number // 250}.{number % 250}",
        )  # fmt: skip


def namespaces(cluster: Cluster, mean: float) -> None:
    for number in cluster.fresh(mean):
        attempts(cluster.window(), 1, f"ns{number}/w")


def edges(cluster: Cluster, mean: float) -> None:
    for number in cluster.fresh(mean):
        attempts(cluster.window(), 1, f"shop/new{number}")


def outside(cluster: Cluster, mean: float) -> None:
    for number in cluster.fresh(mean):
        attempts(cluster.window(), 1, f"a.example{number}.com", 443)
