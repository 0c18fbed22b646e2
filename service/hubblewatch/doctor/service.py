"""Is a running worker or exporter well, by its own word?"""

from __future__ import annotations

from typing import Protocol

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from hubblewatch.doctor.result import CheckResult, failed, passed, skipped, told, warned
from hubblewatch.doctor.web import PageError

HEALTH, READY, METRICS = "service.health", "service.ready", "service.metrics"
OUR_METRICS = "hubblewatch_"


class Pages(Protocol):
    """Where pages come from."""

    url: str

    def get(self, path: str) -> tuple[int, bytes]:
        """Give status and body; raise PageError."""
        ...


class _Component(msgspec.Struct):
    healthy: bool
    lag: float = 0.0
    seconds_without_progress: float = 0.0
    reason: str = ""


class _Health(msgspec.Struct):
    healthy: bool
    components: dict[str, _Component] = {}


class _Ready(msgspec.Struct):
    ready: bool


def check_service(pages: Pages | None) -> list[CheckResult]:
    """Ask for the three pages; one that cannot be reached is not asked three times."""
    if pages is None:
        why = "no --url http://host:port of a running worker or exporter"
        return [skipped(check, why) for check in (HEALTH, READY, METRICS)]
    health = check_health(pages)
    try:
        pages.get("/")
    except PageError:
        why = f"{pages.url} is not reached"
        return [health, skipped(READY, why), skipped(METRICS, why)]
    return [health, check_ready(pages), check_metrics(pages)]


def check_health(pages: Pages) -> CheckResult:
    """Red means lag and no progress."""
    try:
        _, body = pages.get("/healthz")
        report = msgspec.json.decode(body, type=_Health)
    except PageError as error:
        return told(HEALTH, error)
    except msgspec.MsgspecError as error:
        return _not_ours(HEALTH, pages, "/healthz", error)
    stuck = [
        f"{name} (lag {part.lag:g}, nothing moved for {part.seconds_without_progress:.0f} s"
        f"{f': {part.reason}' if part.reason else ''})"
        for name, part in report.components.items()
        if not part.healthy
    ]
    if not report.healthy:
        remedy = "see its log; a restart goes on from the last commit"
        return failed(HEALTH, f"stuck: {', '.join(stuck)}", remedy)
    count = len(report.components)
    return passed(HEALTH, f"healthy, {count} component{'' if count == 1 else 's'} at work")


def check_ready(pages: Pages) -> CheckResult:
    """Red until the work has begun."""
    try:
        _, body = pages.get("/readyz")
        ready = msgspec.json.decode(body, type=_Ready).ready
    except PageError as error:
        return told(READY, error)
    except msgspec.MsgspecError as error:
        return _not_ours(READY, pages, "/readyz", error)
    if ready:
        return passed(READY, "ready")
    return warned(READY, "not ready: the work has not begun", "if that lasts, its log says why")


def check_metrics(pages: Pages) -> CheckResult:
    """The text must parse, and hold families of ours."""
    try:
        status, body = pages.get("/metrics")
        families = list(text_string_to_metric_families(body.decode()))
    except PageError as error:
        return told(METRICS, error)
    except ValueError as error:
        return _not_ours(METRICS, pages, "/metrics", error)
    if status != 200:
        return failed(METRICS, f"{pages.url}/metrics answers {status}", "see the service's log")
    ours = [family for family in families if family.name.startswith(OUR_METRICS)]
    if not ours:
        what = f"{pages.url}/metrics has no metric {OUR_METRICS}…"
        return failed(METRICS, what, "check --url: this is another service")
    series = sum(len(family.samples) for family in ours)
    return passed(METRICS, f"{len(ours)} metrics with {series} series")


def _not_ours(check: str, pages: Pages, path: str, error: Exception) -> CheckResult:
    what = f"{pages.url}{path} is not what this service writes ({error})"
    return failed(check, what, "check --url: this is another service")
