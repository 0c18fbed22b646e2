"""Alerts of a watch on standard output: JSON lines for programs, one line each for people."""

from __future__ import annotations

from typing import BinaryIO

from hubblewatch.alert.record import AlertRecord, AlertStatus, encode_alert
from hubblewatch.metrics.labels import REPLACEMENT
from hubblewatch.pipeline import Closed


class AlertLines:
    """Writes each alert record as one line, readable at once by whatever follows."""

    def __init__(self, output: BinaryIO, as_json: bool) -> None:
        self._output = output
        self._as_json = as_json

    def observe(self, closed: Closed) -> None:
        """Write a closing's alerts."""
        if closed.alerts:
            lines = (encode_alert(a) if self._as_json else _readable(a) for a in closed.alerts)
            self._output.write(b"".join(line + b"\n" for line in lines))
            self._output.flush()

    def tick(self) -> None:
        """Nothing waits here."""


def _readable(alert: AlertRecord) -> bytes:
    step = "resolved" if alert.status is AlertStatus.RESOLVED else alert.severity.value
    trial = " (on trial)" if alert.shadow else ""
    text = f"{alert.window_end} {step:<8} {alert.detector}{trial}: {alert.summary}"
    # Names come from the cluster: none may begin a line or command the terminal.
    shown = "".join(c if c.isprintable() else REPLACEMENT for c in text)
    return shown.encode("utf-8", "replace")
