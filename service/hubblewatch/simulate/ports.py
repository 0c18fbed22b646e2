"""Source ports that do not come back too soon."""

from __future__ import annotations

from hubblewatch.simulate.clock import SECOND

_FIRST = 32_768
_COUNT = 28_232
_STRIDE = 7_919
"""Prime and no divisor of the count: every port is visited once a round, in no visible order."""

_CHUNK = 500
"""Ports whose last use is remembered together."""

REUSE_AFTER_NS = 300 * SECOND
"""No five-tuple comes back within this time, so that a five-tuple names one attempt."""


class EphemeralPorts:
    """Hands out one address's source ports, each at most once in five minutes."""

    __slots__ = ("_next", "_offset", "_used_ns")

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._next = 0
        self._used_ns: dict[int, int] = {}

    def take(self, time_ns: int) -> int | None:
        """A port free at `time_ns`, or None when 28,232 connections were begun too quickly."""
        chunk = self._next // _CHUNK
        if self._next % _CHUNK == 0:
            used_ns = self._used_ns.get(chunk)
            if used_ns is not None and time_ns - used_ns < REUSE_AFTER_NS:
                return None
        self._used_ns[chunk] = time_ns
        port = _FIRST + (self._offset + self._next * _STRIDE) % _COUNT
        self._next = (self._next + 1) % _COUNT
        return port
