"""``make kafka``: a Kafka node in the foreground until ctrl-c."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from deploy.local.kafka.engine import find_engine
from deploy.local.kafka.errors import KafkaNodeError, PortTakenError
from deploy.local.kafka.node import KafkaNode

DEFAULT_PORT = 9092
DEFAULT_FOLDER = Path(__file__).parents[3] / "run" / "kafka"
_LOOK_SECONDS = 1.0


def main() -> int:
    """Run a node until ctrl-c or SIGTERM; return the exit code."""
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        node = KafkaNode(options.data, port=options.port, engine=find_engine(options.engine))
        print("Kafka is starting ...", flush=True)
        node.start()
    except PortTakenError as error:
        print(f"{error}; take a free one: make kafka KAFKA_ARGS='--port 0'", file=sys.stderr)
        return 1
    except KafkaNodeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"bootstrap servers  {node.bootstrap}")
    print(f"data folder        {node.folder}")
    print(f"log                {node.log_file}")
    print("ctrl-c stops it; the records are kept", flush=True)
    while node.running and not stop.wait(_LOOK_SECONDS):
        pass
    if not node.running:
        print(f"Kafka ended by itself; see {node.log_file}", file=sys.stderr)
        return 1
    node.stop()
    print("Kafka has stopped")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make kafka", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=DEFAULT_FOLDER, help="data folder (default: %(default)s)"
    )
    parser.add_argument(
        "--engine", choices=("auto", "docker", "java"), default="auto", help="what runs the broker"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
