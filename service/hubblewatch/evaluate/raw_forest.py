"""The forest as it is mostly written: over raw flow events, with a tenth of them taken as odd.

Fitted on the events before the attack, ports as numbers, names and addresses as label codes,
``contamination=0.1``; a workload's window is flagged when one of its events is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from hubblewatch.flow.schema import Flow, Line
from hubblewatch.flow.timestamp import TimestampError, parse_seconds
from hubblewatch.model.threshold import QUIET_WINDOWS
from hubblewatch.window.closed import OUTBOUND, Subject

CONTAMINATION = 0.1
MAX_FITTED = 20_000
"""Events fitted on: more change nothing, as each tree takes 256 of them."""


class RawForest:
    """Takes all lines of a recording and afterwards gives the alerts that it would raise.

    Windows are of ``size`` seconds, as those of the systems that it is compared with.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._codes: dict[str, int] = {}
        self._rows: list[list[float]] = []
        self._numbers: list[int] = []
        self._subjects: list[Subject | None] = []

    def take(self, lines: Iterable[Line]) -> None:
        """Note the flow events of a batch; those without a usable time belong to no window."""
        for line in lines:
            flow = line.flow
            if flow is None or flow.l4 is None:
                continue
            try:
                second = parse_seconds(flow.time or line.time)
            except TimestampError:
                continue
            self._rows.append(self._row(flow))
            self._numbers.append(second // self._size)
            self._subjects.append(_subject(flow))

    def alerts(self, begin: int, seed: int) -> tuple[list[tuple[int, Subject]], int]:
        """Give window and subject of each alert, and the number of windows that are flagged.

        From window ``begin`` on; before, it is fitted. Windows in a row are one alert, as they are
        one incident elsewhere.
        """
        from sklearn.ensemble import IsolationForest

        rows = np.array(self._rows)
        numbers = np.array(self._numbers)
        earlier, later = np.flatnonzero(numbers < begin), np.flatnonzero(numbers >= begin)
        if not len(earlier) or not len(later):
            return [], 0
        random = np.random.default_rng(seed)
        chosen = random.choice(earlier, min(MAX_FITTED, len(earlier)), replace=False)
        forest = IsolationForest(contamination=CONTAMINATION, random_state=seed).fit(rows[chosen])
        flagged: defaultdict[Subject, set[int]] = defaultdict(set)
        for place in later[forest.predict(rows[later]) < 0]:
            subject = self._subjects[place]
            if subject is not None:
                flagged[subject].add(int(numbers[place]))
        found = []
        for subject, windows in flagged.items():
            last = -QUIET_WINDOWS - 1
            for number in sorted(windows):
                if number - last > QUIET_WINDOWS:
                    found.append((number, subject))
                last = number
        return sorted(found), sum(map(len, flagged.values()))

    def _row(self, flow: Flow) -> list[float]:
        layer4, addresses = flow.l4, flow.IP
        assert layer4 is not None
        ports = layer4.TCP or layer4.UDP or layer4.SCTP
        protocol = 6 if layer4.TCP else 17 if layer4.UDP else 132 if layer4.SCTP else 1
        return [
            float(ports.source_port if ports else 0),
            float(ports.destination_port if ports else 0),
            float(protocol),
            self._code("verdict", str(flow.verdict)),
            float(flow.event_type.type if flow.event_type else 0),
            float(bool(flow.is_reply)),
            self._code("ip", addresses.source if addresses else ""),
            self._code("ip", addresses.destination if addresses else ""),
            self._code("namespace", flow.source.namespace if flow.source else ""),
            self._code("namespace", flow.destination.namespace if flow.destination else ""),
        ]

    def _code(self, kind: str, name: str) -> float:
        return float(self._codes.setdefault(f"{kind} {name}", len(self._codes)))


def _subject(flow: Flow) -> Subject | None:
    source = flow.source
    if source is None or not source.namespace or not source.workloads:
        return None
    return Subject(source.namespace, source.workloads[0].name, OUTBOUND)
