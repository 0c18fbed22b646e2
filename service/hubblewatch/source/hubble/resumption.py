"""How far Kafka has the flows of a Hubble, in a small file, so that a restart can go on there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct, field

from hubblewatch.atomic_file import write_atomically
from hubblewatch.flow.timestamp import format_seconds
from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble.node import EXPECTED_FLOWS

VERSION = 1
MAX_BYTES = 4 << 20

log = logging.getLogger(__name__)


class Reached(NamedTuple):
    """Event time up to which everything was taken, and the nodes' usual flows a second."""

    complete_ns: int
    rates: Mapping[str, float]


class _Stored(Struct):
    version: int
    address: str
    acknowledged_ns: int
    rates: dict[str, float] = field(default_factory=dict)


class Resumption:
    """The file of one exporter and one Hubble. No trouble with it ever stops an export."""

    def __init__(self, path: Path, settings: HubbleSettings, resume_seconds: int) -> None:
        self.failures = 0
        """Times that the file could not be read or written."""
        self.goes_on = False
        """Whether what ``begin`` gave leaves nothing out since the last run."""
        self._path = path
        self._settings = settings
        self._resume_seconds = resume_seconds

    def begin(self, now_ns: int) -> Reached:
        """Give the event time to ask Hubble from, and the rates by which it shows what is missing.

        That is some overlap before what Kafka has, ``resume_seconds`` before now at the earliest,
        and now if nothing is known; then now is remembered, for a process that ends before Kafka
        has anything.
        """
        stored = self._read()
        if stored is None or not 0 < stored.acknowledged_ns <= now_ns:
            reached = Reached(now_ns, {})
            self.write(reached)
            return reached
        overlap = self._settings.overlap_seconds
        since_ns = stored.acknowledged_ns - round(overlap * 1e9)
        earliest_ns = now_ns - self._resume_seconds * 1_000_000_000
        if since_ns < earliest_ns:
            log.warning(
                "Kafka has the flows up to %s, which is longer ago than "
                "export.spool.resume_seconds: those up to %s are not asked for",
                format_seconds(stored.acknowledged_ns // 1_000_000_000),
                format_seconds(earliest_ns // 1_000_000_000),
            )
            return Reached(earliest_ns, {})
        self.goes_on = True
        # Of a busy node only: of another one the overlap may hold nothing though nothing is lost.
        rates = {n: rate for n, rate in stored.rates.items() if rate * overlap >= EXPECTED_FLOWS}
        return Reached(since_ns, rates)

    def write(self, reached: Reached) -> None:
        """Remember how far Kafka has everything."""
        stored = _Stored(VERSION, self._settings.address, reached.complete_ns, dict(reached.rates))
        try:
            write_atomically(self._path, msgspec.json.encode(stored))
        except OSError as error:
            if not self.failures:
                log.warning("cannot write %s: %s", self._path, error.strerror)
            self.failures += 1

    def _read(self) -> _Stored | None:
        try:
            with self._path.open("rb") as file:
                stored = msgspec.json.decode(file.read(MAX_BYTES), type=_Stored)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.failures += 1
            log.warning("cannot use %s (%s): beginning with the flows of now", self._path, error)
            return None
        if stored.version != VERSION or stored.address != self._settings.address:
            log.warning("%s is of another Hubble: beginning with the flows of now", self._path)
            return None
        return stored
