"""The alerts that ``/api/alerts`` shows: those active, and the last that were resolved."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIVE_ALERTS = 5_000
RESOLVED_ALERTS = 500
DEFAULT_LIMIT = 200
LARGEST_LIMIT = 1_000


class _Shown(msgspec.Struct, frozen=True):
    """The fields of an alert record that are filtered by; the record itself stays as it came."""

    incident: str
    status: str
    detector: str = ""
    severity: str = ""
    namespace: str = ""
    record: msgspec.Raw = msgspec.Raw(b"")
    stream: str = ""


class Page(msgspec.Struct, frozen=True):
    """What a question to the board found: ``matching`` in all, the first of them in ``alerts``."""

    matching: int
    dropped: int
    """Active alerts left out because the board was full, since the start."""
    alerts: list[msgspec.Raw]


class AlertBoard:
    """Active alerts by incident and the last resolved ones, both bounded. Safe from any thread.

    At ``active`` the alert that has been quiet longest makes room, counted in ``dropped``.
    """

    def __init__(self, active: int = ACTIVE_ALERTS, resolved: int = RESOLVED_ALERTS) -> None:
        self._lock = threading.Lock()
        self._bound = active
        self._active: OrderedDict[str, _Shown] = OrderedDict()
        self._resolved: deque[_Shown] = deque(maxlen=resolved)
        self.dropped = 0

    def record(self, alert: bytes | Mapping[str, Any], stream: str = "0") -> None:
        """Take in an alert record, as JSON or as its fields.

        Raises ``msgspec.ValidationError`` or ``DecodeError`` when it is no alert record.
        """
        # Encoded here, so that what is shown cannot change under a request.
        encoded = bytes(alert) if isinstance(alert, bytes) else msgspec.json.encode(alert)
        fields = msgspec.json.decode(encoded, type=_Shown)
        shown = msgspec.structs.replace(fields, record=msgspec.Raw(encoded), stream=stream)
        with self._lock:
            self._active.pop(shown.incident, None)
            if shown.status != "firing":
                self._resolved.append(shown)
                return
            self._active[shown.incident] = shown
            if len(self._active) > self._bound:
                self._active.popitem(last=False)
                self.dropped += 1

    def forget(self, stream: str) -> None:
        """Drop the active alerts of a stream that another worker looks after now."""
        with self._lock:
            for incident in [i for i, shown in self._active.items() if shown.stream == stream]:
                del self._active[incident]

    def page(
        self,
        *,
        status: str = "firing",
        detector: str = "",
        severity: str = "",
        namespace: str = "",
        limit: int = DEFAULT_LIMIT,
    ) -> Page:
        """Alerts by latest record, newest first; an empty filter matches all.

        ``status`` is ``firing``, ``resolved`` or ``all`` (active ones first).
        """
        with self._lock:
            active = list(self._active.values()) if status != "resolved" else []
            resolved = list(self._resolved) if status != "firing" else []
        found = [
            shown.record
            for shown in (*reversed(active), *reversed(resolved))
            if (not detector or shown.detector == detector)
            and (not severity or shown.severity == severity)
            and (not namespace or shown.namespace == namespace)
        ]
        return Page(matching=len(found), dropped=self.dropped, alerts=found[:limit])
