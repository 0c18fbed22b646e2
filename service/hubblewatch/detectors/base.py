"""What a detector is: a small pure thing that looks at a closing with the memory beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hubblewatch.baseline.memory import Memory
from hubblewatch.detectors.finding import Finding
from hubblewatch.window.closing import Closing


class Detector(Protocol):
    """Judges closings. ``name`` is the id that alerts and settings use."""

    name: str

    def inspect(self, closing: Closing, memory: Memory) -> Iterable[Finding]:
        """Give the findings of a closing; the memory already met it and has not learned it yet."""
        ...
