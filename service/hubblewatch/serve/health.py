"""Whether the service moves: lag without progress is what a restart may cure."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

STUCK_AFTER_SECONDS = 45.0
"""Longer than a rebalance and a broker's fail-over, shorter than anyone's patience."""


class ComponentReport(TypedDict):
    """One component as ``/healthz`` shows it."""

    healthy: bool
    lag: float
    seconds_without_progress: float
    reason: NotRequired[str]
    """What failed last and what to do about it, where something did and does not go on yet."""


class HealthReport(TypedDict):
    """The body of ``/healthz``."""

    healthy: bool
    components: dict[str, ComponentReport]


class _Component:
    __slots__ = ("lag", "measure", "moved_at", "reason")

    def __init__(self, at: float) -> None:
        self.moved_at = at
        self.lag = 0.0
        self.measure: Callable[[], float] | None = None
        self.reason = ""


class Health:
    """What the components say of themselves, judged when asked. Safe to use from any thread.

    A component is stuck when it has had lag, and made no progress, for ``stuck_after`` seconds.
    Without lag it is idle, and well. Two ways to a lag that a stuck component cannot hide: measure
    it from outside (``measure_lag``), or give what must always move, such as an event loop's tick,
    a constant lag. ``clock`` is monotonic seconds.
    """

    def __init__(
        self, clock: Callable[[], float], stuck_after_seconds: float = STUCK_AFTER_SECONDS
    ) -> None:
        self._clock = clock
        self._stuck_after = stuck_after_seconds
        self._lock = threading.Lock()
        self._components: dict[str, _Component] = {}
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether the service has begun its work."""
        return self._ready

    def set_ready(self, ready: bool = True) -> None:
        """Say whether the service can do its work; false again while it stops."""
        self._ready = ready

    def progress(self, name: str, at: float | None = None) -> None:
        """``name`` has moved, now or at ``at`` on the same clock."""
        with self._lock:
            component = self._component(name)
            component.moved_at = max(component.moved_at, self._clock() if at is None else at)

    def set_back(self, name: str, at: float) -> None:
        """What counted as progress of ``name`` after ``at`` was in vain."""
        with self._lock:
            component = self._component(name)
            component.moved_at = min(component.moved_at, at)

    def lag(self, name: str, amount: float) -> None:
        """What waits for ``name``: records, seconds, anything that is 0 when there is nothing."""
        with self._lock:
            self._set_lag(self._component(name), amount)

    def explain(self, name: str, reason: str) -> None:
        """Say what keeps ``name`` from going on, and what to do; nothing does if it is empty."""
        with self._lock:
            self._component(name).reason = reason

    def measure_lag(self, name: str, measure: Callable[[], float]) -> None:
        """Ask ``measure`` for the lag whenever health is asked for; it must not block."""
        with self._lock:
            self._component(name).measure = measure

    def forget(self, name: str) -> None:
        """``name`` is no longer ours, like a partition that was revoked."""
        with self._lock:
            self._components.pop(name, None)

    def report(self) -> HealthReport:
        """The state of every component now."""
        with self._lock:
            measures = {n: c.measure for n, c in self._components.items() if c.measure is not None}
        # Outside the lock, so that a slow measure delays only whoever asks for the report.
        measured = {name: measure() for name, measure in measures.items()}
        with self._lock:
            for name, amount in measured.items():
                if name in self._components:
                    self._set_lag(self._components[name], amount)
            now = self._clock()
            components = {n: self._judge(c, now) for n, c in sorted(self._components.items())}
        return {
            "healthy": all(component["healthy"] for component in components.values()),
            "components": components,
        }

    def _component(self, name: str) -> _Component:
        component = self._components.get(name)
        if component is None:
            component = self._components[name] = _Component(self._clock())
        return component

    def _set_lag(self, component: _Component, amount: float) -> None:
        if component.lag <= 0 < amount:
            # The wait begins now, however long there was nothing to do.
            component.moved_at = max(component.moved_at, self._clock())
        component.lag = amount

    def _judge(self, component: _Component, now: float) -> ComponentReport:
        still = max(0.0, now - component.moved_at)
        report: ComponentReport = {
            "healthy": component.lag <= 0 or still < self._stuck_after,
            "lag": component.lag,
            "seconds_without_progress": round(still, 3),
        }
        if component.reason:
            report["reason"] = component.reason
        return report
