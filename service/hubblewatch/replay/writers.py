"""Closed windows and alert records as JSON lines."""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from hubblewatch.alert.record import encode_alert
from hubblewatch.pipeline import Closed


class WindowsWriter:
    """Writes each closed window as one line of JSON."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._encode = msgspec.json.Encoder().encode_lines

    def observe(self, closed: Closed) -> None:
        """Write a closing's windows."""
        self._output.write(self._encode([window.record() for window in closed.closing.windows]))


class AlertWriter:
    """Writes each alert record as one line of JSON, readable at once by whatever follows."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output

    def observe(self, closed: Closed) -> None:
        """Write a closing's alerts."""
        if closed.alerts:
            self._output.write(b"".join(encode_alert(alert) + b"\n" for alert in closed.alerts))
            self._output.flush()
