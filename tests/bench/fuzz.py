"""Mutated lines by the million through decoding, counting, closing and encoding.

    python -m tests.bench.fuzz [LINES] [SEED]

Fails on any exception and on a stall; prints lines a second and what was refused. The lines are
those of the builders, and the real recordings where they are at hand.
"""

from __future__ import annotations

import faulthandler
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec
from tests.builders import flow, heartbeat, host, lost, node_status, pod, world
from tests.connections import datagrams, ping, tcp
from tests.proxying import dns, proxied
from tests.refusals import audited, denied, dropped, refused, unanswered
from tests.running import pipeline

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.reject import Reject
from hubblewatch.pipeline import Closed

BATCH = 500
STALL_SECONDS = 20.0
RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"

VALUES = [
    b"null", b"true", b"false", b"0", b"-1", b"1", b"65536", b"1e308", b"-0.0", b"1" * 30,
    b"9" * 5_000, b'""', b'"x"', b"[]", b"{}", b"[[]]", b'{"x":1}', b'["a","b"]', b"NaN",
    b'"\\u0000"', b'"\\ud83d\\ude00"', b'"\\ud800"', b'"2099-01-01T00:00:00Z"',
    b'"9999-12-31T23:59:59Z"', b'"2026-03-02T08:00:00Z"', b'"2026-03-02T08:59:00Z"',
    b'"2015-01-01T00:00:00.000000001Z"', b'"DROPPED"', b'"AUDIT"', b'"REDIRECTED"', b'"TO_PROXY"',
    b'"18446744073709551615"', b'"-5"', b'"reserved:world"', b'"' + b"a" * 3_000 + b'"',
    b'"cart-7d9f8c6b5-x2x7z"', b"129", b"5", b"7", b"4",
    b'{"egress_flow_count":"77"}', b'{"dns":{"query":"x.example."}}',
]  # fmt: skip
NAMES = [
    b'"aggregate":', b'"l7":', b'"verdict":', b'"is_reply":', b'"source":', b'"IP":', b'"l4":',
    b'"UDP":', b'"ICMPv6":', b'"SCTP":', b'"time":', b'"node_name":', b'"lost_events":',
    b'"heartbeat":', b'"node_status":', b'"event_type":', b'"workloads":', b'"labels":',
]  # fmt: skip


LATENESSES = (10, 600, 1_000_000_000)
"""In seconds; with the last one nothing is late and all closes at the end."""


def originals() -> list[list[bytes]]:
    """Good lines of every kind, from a few minutes, and the recordings, each for itself."""
    cart, far = pod(), pod("data/db-0", node="node-b")
    lines: list[bytes] = []
    forms: list[Callable[..., list[bytes]]] = [tcp, datagrams, proxied, dns, denied]
    forms += [unanswered, refused, audited, dropped, ping]
    for minute in range(4):
        for number, form in enumerate(forms):
            for destination in (far, world(), host("node-b")):
                lines += form(cart, destination, at=minute * 60 + number * 5.5)
        lines += [lost(minute * 60 + 7, count=3), node_status(minute * 60, "NODE_ERROR", "node-b")]
    lines += [flow(aggregate={"egress_flow_count": "7"})]
    beating = lines + [heartbeat(number, number) for number in range(240)]
    paths = sorted(RECORDINGS.rglob("*.json*")) if RECORDINGS.is_dir() else []
    return [lines, beating, *(path.read_bytes().splitlines() for path in paths)]


def mutated(lines: list[bytes], rng: Random, count: int) -> Iterator[bytes]:
    """Give ``count`` lines, nine of ten of them changed somewhere."""
    draw, below = rng.random, rng.randrange
    for _ in range(count):
        line = lines[int(draw() * len(lines))]
        kind = int(draw() * 10)
        at = int(draw() * len(line))
        if kind < 4:  # another value in place of one
            colon = line.find(b":", at)
            end = min((e for e in (line.find(c, colon) for c in (b",", b"}")) if e > 0), default=at)
            line = line[: colon + 1] + VALUES[below(len(VALUES))] + line[end:]
        elif kind == 4:  # another member
            brace = line.find(b"{", at)
            value = VALUES[below(len(VALUES))]
            line = line[: brace + 1] + NAMES[below(len(NAMES))] + value + b"," + line[brace + 1 :]
        elif kind == 5:  # another byte
            line = line[:at] + bytes((below(256),)) + line[at + 1 :]
        elif kind == 6:  # cut short, or cut out
            line = line[:at] + (line[at + below(40) :] if draw() < 0.7 else b"")
        elif kind == 7:  # another line's end
            line = line[:at] + lines[int(draw() * len(lines))][at:]
        elif kind == 8:  # another digit
            line = line.replace(b"%d" % below(10), b"%d" % below(10), 1 + below(3))
        yield line


@dataclass
class Report:
    """What became of the lines."""

    lines: int = 0
    seconds: float = 0.0
    slowest_batch_seconds: float = 0.0
    flows: int = 0
    windows: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    late: int = 0

    def __str__(self) -> str:
        rate = self.lines / self.seconds if self.seconds else 0.0
        rejects = "".join(f"\n  {reason}: {n}" for reason, n in self.rejects.most_common())
        return (
            f"{self.lines} lines, {rate:,.0f}/s, slowest batch {self.slowest_batch_seconds:.3f} s\n"
            f"{self.flows} flows counted, {self.late} late, {self.windows} windows encoded\n"
            f"{sum(self.rejects.values())} refused:{rejects}"
        )


def fuzz(count: int, seed: int) -> Report:
    """Drive mutated lines through the service; raises whatever it raises."""
    rng = Random(seed)
    report = Report()
    encode = msgspec.json.Encoder().encode
    sources = originals()
    began = time.perf_counter()
    while report.lines < count:
        # A new pipeline now and then: one wrong clock makes the rest of a stream late.
        rejects: list[Reject] = []
        driven = pipeline(rejects, lateness=rng.choice(LATENESSES))
        lines = rng.choice(sources)
        closed: list[Closed] = []
        for _ in range(min(8, -(-(count - report.lines) // BATCH))):
            batch = list(mutated(lines, rng, min(BATCH, count - report.lines)))
            faulthandler.dump_traceback_later(STALL_SECONDS, exit=True)
            start = time.perf_counter()
            closed += driven.take(decode_lines(batch, rejects.append))
            took = time.perf_counter() - start
            report.slowest_batch_seconds = max(report.slowest_batch_seconds, took)
            report.lines += len(batch)
        closed += driven.finish()
        for one in closed:
            for window in one.closing.windows:
                assert encode(window.record())
                report.windows += 1
        faulthandler.cancel_dump_traceback_later()
        report.flows += driven.counts.flows
        report.late += driven.counts.late
        report.rejects.update(reject.reason.value for reject in rejects)
    report.seconds = time.perf_counter() - began
    return report


def main() -> None:
    """Run as a program."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    report = fuzz(count, seed)
    print(report)
    if report.slowest_batch_seconds > STALL_SECONDS:
        sys.exit(f"a batch took {report.slowest_batch_seconds:.1f} s")


if __name__ == "__main__":
    main()
