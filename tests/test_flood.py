"""Far more new connections than there is room for: what is told, and what it costs others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubblewatch.alert.record import AlertRecord
from hubblewatch.detectors.registry import PARENTS
from hubblewatch.flow.decode import decode_lines
from hubblewatch.kafka.partition import partition_of
from hubblewatch.pipeline import Closed, Pipeline, PipelineSettings
from tests.builders import VERDICT, Party, flow, pod, world
from tests.connections import datagrams, tcp
from tests.kafka.partitioned import detectors, partitioned
from tests.refusals import denied

BOUND = 1_000
QUIET, LASTS, AFTER = 12, 3, 6
FLOOD = 2_000
"""New connections a minute, of which a fifth of the bound has room."""

ATTACKED = pod("shop/web-7d9f8c6b5-x2x7z")
OTHERS = [pod(f"shop/calm-{name}-7d9f8c6b5-x2x7z") for name in "abc"]
DB = pod("shop/db-0", kind="StatefulSet")
SCANNER = OTHERS[0]


def calm(minute: int) -> list[bytes]:
    lines = []
    for place, client in enumerate((ATTACKED, *OTHERS)):
        for number in range(5):
            at = minute * 60 + 1 + number * 11 + place
            port = 40_000 + minute * 10 + number
            lines += tcp(client, DB, at=at, port=5_432, from_port=port)
            lines += datagrams(client, DB, at=at + 0.3, port=8_125, from_port=port)
    return lines


def at_of(minute: int, number: int) -> float:
    # From ten seconds on: what begins before is what the window still has room for.
    return minute * 60 + 10 + number * 45 / FLOOD


def denied_strangers(minute: int) -> list[bytes]:
    return [
        flow(
            world(f"198.{minute}.{n // 250}.{n % 250 + 1}"),
            ATTACKED,
            at=at_of(minute, n),
            kind=VERDICT,
            verdict="DROPPED",
            drop_reason=133,
            flags="SYN",
            ports=(50_000, 22),
        )
        for n in range(FLOOD)
    ]


def datagrams_out(minute: int) -> list[bytes]:
    return [
        flow(
            ATTACKED,
            world(f"198.51.100.{n % 250 + 1}"),
            at=at_of(minute, n),
            protocol="UDP",
            point="TO_STACK",
            is_reply=False,
            ports=(10_000 + minute * FLOOD + n, 9_999),
        )
        for n in range(FLOOD)
    ]


def scan(minute: int, number: int = FLOOD, source: Party = ATTACKED) -> list[bytes]:
    return [
        line
        for n in range(number)
        for line in denied(
            source,
            DB,
            at=at_of(minute, n),
            port=1 + (n + minute * 7_000) % 30_000,
            from_port=55_000,
            retransmissions=0,
        )
    ]


class Run:
    """All minutes through one pipeline, and the most that it held."""

    def __init__(self, flood: Callable[[int], list[bytes]]) -> None:
        settings = PipelineSettings(max_connections=BOUND)
        self.pipeline = Pipeline(settings, detectors(), PARENTS)
        self.closed: list[Closed] = []
        self.most = 0
        for minute in range(QUIET + LASTS + AFTER):
            lines = calm(minute)
            if QUIET <= minute < QUIET + LASTS:
                lines += flood(minute)
            if minute == QUIET + LASTS + 1:
                lines += scan(minute, 40, SCANNER)
            lines.sort(key=lambda line: line[line.index(b'"time":"') :][:40])
            for first in range(0, len(lines), 100):
                batch = decode_lines(lines[first : first + 100], lambda _: None, "lines", 1)
                self.closed += self.pipeline.take(batch)
                self.most = max(self.most, self.pipeline.connections)
        self.closed += self.pipeline.finish()

    def alerts(self, workload: str) -> dict[str, AlertRecord]:
        return {
            alert.detector: alert
            for closed in self.closed
            for alert in closed.alerts[::-1]
            if alert.workload == workload and alert.status == "firing"
        }


@pytest.mark.parametrize(
    ("flood", "detector", "severity"),
    [
        (denied_strangers, "policy-denials", "critical"),
        # Critical is a matter of more attempts than the table of this test has room for.
        (datagrams_out, "udp-spike", "warning"),
        (scan, "port-scan", "critical"),
    ],
)
def test_a_flood_is_told_in_bounded_room_and_blinds_no_window_after_it(
    flood: Callable[[int], list[bytes]], detector: str, severity: str
) -> None:
    found = Run(flood)
    assert found.most <= BOUND
    shares = [closed.closing.completeness.share for closed in found.closed]
    assert shares[:QUIET] == [1] * QUIET
    assert all(share < 0.3 for share in shares[QUIET : QUIET + LASTS])
    assert shares[QUIET + LASTS :] == [1] * AFTER
    alert = found.alerts("web")[detector]
    assert alert.severity == severity
    assert alert.window_start == f"2026-03-02T08:{QUIET}:00Z"
    # The stream says that it is half blind, and of what.
    degraded = found.alerts("")["source-degraded"]
    assert "of new connections had no room here" in degraded.summary
    assert "window.max_connections" in degraded.recommendation
    # And another subject's scan after the flood is found as ever.
    assert found.alerts("calm-a")["port-scan"].window_start == (
        f"2026-03-02T08:{QUIET + LASTS + 1}:00Z"
    )


def test_what_is_counted_stays_exact_and_nothing_goes_uncounted() -> None:
    found = Run(datagrams_out)
    refused = found.pipeline.counts.uncounted["connection-table"]
    told = sum(
        count
        for closed in found.closed
        for (_, source), count in closed.closing.lost.items()
        if source == "connection-table"
    )
    assert refused == told > 0
    for closed in found.closed[:QUIET] + found.closed[QUIET + LASTS :]:
        attempts = {w.subject.workload: w.attempts for w in closed.closing.windows}
        assert attempts["web"] == attempts["calm-b"] == 10


def test_a_flood_of_one_partition_leaves_the_windows_of_others_complete() -> None:
    client, server = pod("blog/abel-0"), pod("blog/db-0")
    assert partition_of("blog", 12) != partition_of("shop", 12)
    lines = []
    for minute in range(4):
        lines += tcp(client, server, at=minute * 60 + 1, from_port=41_000 + minute)
        lines += datagrams_out(minute) if minute == 1 else []
    found = partitioned(lines, (), max_connections=BOUND)
    seen = {(w.namespace, w.start[14:16]): round(w.completeness, 2) for w in found.windows}
    assert seen == {
        **{("blog", f"0{minute}"): 1.0 for minute in range(4)},
        ("shop", "01"): 0.1,
    }
