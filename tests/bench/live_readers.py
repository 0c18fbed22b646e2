"""One reader of ``tests.bench.live``: prints flows, seconds and processor seconds of a while.

python -m tests.bench.live_readers READER ADDRESS SECONDS
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.hubble.throughput import POLLING, bare, source

WARM_SECONDS = 2.0
"""From the first flow on; until then nothing is counted."""


def tell(flows: int, seconds: float, used_seconds: float) -> None:
    """Print the figures."""
    sys.stdout.write(f"{flows} {seconds} {used_seconds}\n")
    sys.stdout.flush()


def follow(counts: Iterator[int], seconds: float) -> None:
    """Follow a reader that counts."""
    while not next(counts):
        pass
    warm = time.perf_counter() + WARM_SECONDS
    end, flows, begin, used = 0.0, 0, 0.0, 0.0
    seen = 0
    for count in counts:
        seen += count
        flows += count
        if count == 1 and seen % 256:
            continue
        now = time.perf_counter()
        if not end and now >= warm:
            begin, used, flows, end = now, time.process_time(), 0, now + seconds
        elif end and now >= end:
            tell(flows, now - begin, time.process_time() - used)
            os._exit(0)  # whatever gRPC would still do belongs to nobody


def export(seconds: float) -> None:
    """Run ``hubblewatch export`` on the live Hubble of the variables, and end it in order.

    Counted are flows that Kafka has acknowledged: those routed, by the share of bytes.
    """
    from hubblewatch.cli import main
    from hubblewatch.export import command
    from hubblewatch.export.exporter import Exporter
    from hubblewatch.kafka.publisher import PublisherCounts

    made: list[Watched] = []

    class Watched(Exporter):
        def __init__(self, *arguments: Any, **others: Any) -> None:
            super().__init__(*arguments, **others)
            self.published: PublisherCounts = arguments[2].counts
            made.append(self)

    def watch() -> None:
        while not made or not made[0].router.counts.flows:
            time.sleep(0.05)
        time.sleep(WARM_SECONDS)
        one = made[0]
        flows, sent, known = one.router.counts.flows, one.bytes_sent, one.published.bytes
        begin, used = time.perf_counter(), time.process_time()
        time.sleep(seconds)
        took, used = time.perf_counter() - begin, time.process_time() - used
        acknowledged = (one.published.bytes - known) / (one.bytes_sent - sent)
        tell(round((one.router.counts.flows - flows) * acknowledged), took, used)
        os.kill(os.getpid(), signal.SIGTERM)

    command.Exporter = Watched  # type: ignore[misc]
    threading.Thread(target=watch, daemon=True).start()
    sys.exit(main(["export", "--quiet"]))


def run() -> None:
    """Run the reader that is asked for, on the core that is set aside."""
    reader, address, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    os.sched_setaffinity(0, {int(os.environ["READERS_CORE"])})
    readers: dict[str, Callable[[], None]] = {
        "bare": lambda: follow(bare(address), seconds),
        "polling": lambda: follow(bare(address, POLLING), seconds),
        "source": lambda: follow(source(address, "off"), seconds),
        "export": lambda: export(seconds),
    }
    readers[reader]()


if __name__ == "__main__":
    run()
