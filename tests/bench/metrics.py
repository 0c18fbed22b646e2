"""What an update and a scrape cost with every capped family full. Run it; it prints figures.

Exits 1 when a scrape takes 100 ms or an update a microsecond, the limits the design sets.
"""

from __future__ import annotations

import gzip
import statistics
import sys
import time

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from hubblewatch.metrics import Metrics

SCRAPES = 15
UPDATES = 200_000
SCRAPE_LIMIT_MS = 100.0
UPDATE_LIMIT_NS = 1_000.0


def full(metrics: Metrics) -> None:
    """Fill the three capped families to their cap and beyond."""
    outcomes = ("allowed", "denied", "audited", "dropped")
    for number in range(3_000):
        labels = (f"namespace-{number // 4}", "tcp", outcomes[number % 4])
        metrics.families.attempts_total.add(labels, 1, 1.0)
        metrics.families.alerts_active.claim(
            ("new-edge", "warning", f"namespace-{number % 100}", f"workload-{number}")
        )
    metrics.observe_scores((f"namespace-{n % 100}", f"workload-{n}", 0.5) for n in range(3_000))


def nanoseconds_an_update(metrics: Metrics, labels: tuple[str, ...]) -> float:
    add = metrics.families.attempts_total.add
    began = time.perf_counter_ns()
    for _ in range(UPDATES):
        add(labels, 1.0, 1.0)
    return (time.perf_counter_ns() - began) / UPDATES


def main() -> int:
    metrics = Metrics(CollectorRegistry(), version="bench")
    full(metrics)
    own = nanoseconds_an_update(metrics, ("namespace-1", "tcp", "denied"))
    folded = nanoseconds_an_update(metrics, ("namespace-740", "tcp", "denied"))
    print(f"update of an own series {own:.0f} ns, of a folded one {folded:.0f} ns")
    worst = 0.0
    for name in ("text/plain", "application/openmetrics-text"):
        encode, _ = choose_encoder(name)
        took = []
        exposition = b""
        for _ in range(SCRAPES):
            began = time.perf_counter()
            exposition = encode(metrics.registry)
            took.append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        packed = gzip.compress(exposition, 3)
        zipping = (time.perf_counter() - began) * 1e3
        lines = exposition.count(b"\n")
        print(
            f"{name}: {lines} lines, {len(exposition) / 1e3:.0f} kB, median "
            f"{statistics.median(took):.0f} ms, slowest {max(took):.0f} ms; "
            f"gzip {zipping:.0f} ms to {len(packed) / 1e3:.0f} kB"
        )
        worst = max(worst, statistics.median(took))
    return 0 if worst < SCRAPE_LIMIT_MS and max(own, folded) < UPDATE_LIMIT_NS else 1


if __name__ == "__main__":
    sys.exit(main())
