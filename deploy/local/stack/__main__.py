"""``make stack``: Kafka, exporter, workers, Prometheus and Alertmanager until ctrl-c."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from deploy.local.stack.errors import StackError
from deploy.local.stack.stack import Ports, Stack

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "deploy" / "demo" / "recording.jsonl.zst"
DEMO_DETECTORS = frozenset(
    {"policy-denials", "port-scan", "isolation-forest", "udp-spike", "namespace-sprawl"}
)
"""What the demo's recording shows, by its README."""

LOOK_SECONDS = 1.0
ONCE_WITHIN_SECONDS = 240.0


def main() -> int:
    """Run the stack until ctrl-c or SIGTERM; return the exit code."""
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stack: Stack | None = None
    try:
        ports = (Ports.free if options.free_ports else Ports.usual)(options.workers)
        stack = Stack(
            options.data,
            ports,
            options.recording,
            speed=options.speed,
            interval_seconds=1 if options.once else 5,
        )
        print("the stack is starting ...", flush=True)
        stack.start()
        _tell(stack, options.data)
        return _watch(stack, stop, options.once)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if stack is not None:
            stack.stop()
            print("the stack has stopped")


def _tell(stack: Stack, folder: Path) -> None:
    print(f"Prometheus         {stack.prometheus.url}/alerts")
    print(f"Alertmanager       {stack.alertmanager.url}")
    for url in stack.worker_urls:
        print(f"worker             {url}  (/metrics, /api/alerts)")
    print(f"exporter           {stack.exporter_url}  (/metrics, until all is sent)")
    print(f"Kafka              {stack.kafka.bootstrap}")
    print(f"logs and data      {folder}")
    print("ctrl-c stops it", flush=True)


def _watch(stack: Stack, stop: threading.Event, once: bool) -> int:
    """Say which incidents come; with ``once`` until all detectors of the demo have spoken."""
    said: set[tuple[str, ...]] = set()
    deadline = time.monotonic() + ONCE_WITHIN_SECONDS
    while not stop.wait(LOOK_SECONDS):
        stack.check()
        for alert in _incidents(stack):
            labels = alert["labels"]
            names = ("severity", "detector", "namespace", "workload")
            line = tuple(labels.get(name, "") for name in names)
            if line not in said:
                said.add(line)
                print(f"in Alertmanager    {alert['annotations']['summary']}", flush=True)
        missing = DEMO_DETECTORS - {detector for _, detector, *_ in said}
        if once and not missing:
            return 0
        if once and time.monotonic() > deadline:
            raise StackError(f"no alert came from {', '.join(sorted(missing))}")
    return 130 if once else 0


def _incidents(stack: Stack) -> list[dict[str, dict[str, str]]]:
    try:
        return stack.incidents()
    except OSError as error:
        raise StackError(f"Alertmanager does not answer: {error}") from error


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make stack", description=__doc__)
    parser.add_argument("--recording", type=Path, default=DEMO, help="default: %(default)s")
    parser.add_argument(
        "--speed", type=float, default=30.0, help="times its own speed (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--free-ports", action="store_true", help="any free ports instead of the usual ones"
    )
    parser.add_argument(
        "--once", action="store_true", help="end when the demo's alerts are in Alertmanager"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=ROOT / "run" / "stack",
        help="folder for logs and data, emptied first (default: %(default)s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
