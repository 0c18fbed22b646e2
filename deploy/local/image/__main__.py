"""``make image-check``: build the image and try it in containers that may do nothing else."""

import argparse
import sys
import time
from pathlib import Path

from deploy.local.image.base import make_base
from deploy.local.image.checks import (
    check_confinement,
    check_replay,
    check_service,
    check_version,
)
from deploy.local.image.engine import Engine, find_engine
from deploy.local.image.errors import EngineMissingError, ImageError
from deploy.local.kafka import KafkaNodeError, KafkaUnavailableError
from deploy.local.kafka.engine import JavaEngine

ROOT = Path(__file__).parents[3]
IMAGE = "localhost/hubblewatch:check"


def main() -> int:
    """Build, try and tell; return the exit code, 0 too where nothing could be tried."""
    options = _options()
    try:
        engine = find_engine()
        arguments = [f"PYTHON_IMAGE={make_base(engine)}"] if options.stand_in else []
    except EngineMissingError as error:
        print(f"skipped: {error}")
        return 0
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        _check(engine, arguments)
    except (ImageError, KafkaNodeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _check(engine: Engine, arguments: list[str]) -> None:
    begun = time.monotonic()
    engine.build(ROOT, IMAGE, arguments)
    size = int(engine.call("image", "inspect", "--format", "{{.Size}}", IMAGE))
    took = time.monotonic() - begun
    print(f"built with {engine.name}: {IMAGE}, {size / 1e6:.0f} MB, {took:.0f} s", flush=True)
    check_version(engine, IMAGE)
    check_confinement(engine, IMAGE)
    print("runs as 10001:10001 without capabilities, writes nowhere, holds no pip", flush=True)
    records = check_replay(engine, IMAGE)
    print(f"replay of the demo: {records} alert records, the same as here", flush=True)
    try:
        kafka_engine = JavaEngine()
    except KafkaUnavailableError as error:
        print(f"the worker is not tried: {error}")
        return
    found = check_service(engine, IMAGE, kafka_engine)
    print(f"topics, detect and export with Kafka: healthy, {found} open incident(s), ends with 0")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make image-check", description=__doc__)
    parser.add_argument(
        "--stand-in",
        action="store_true",
        help="build on Debian's own Python, made by mmdebstrap, instead of the Dockerfile's base",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
