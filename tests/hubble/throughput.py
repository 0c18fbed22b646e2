"""How fast the live source is, beside a bare client that only reads messages: Cilium's own server.

    python -m tests.hubble.throughput [--rate 60000] [--seconds 5] [--tcp]

Each reads the same flows of the same agent for some seconds. Flows a second and the processor time
of a flow, all threads of the reader together, are printed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import grpc.experimental
from tests.builders import VERDICT, flow_dict, pod
from tests.hubble.programs import Agent, built, free_address

from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble.reading import GET_FLOWS
from hubblewatch.source.hubble.request import flows_request
from hubblewatch.source.hubble.stream import HubbleStream

LABELS = tuple(f"k8s:io.cilium.k8s.namespace.labels.example.com/part-{n}=cart" for n in range(8))
POLLING = (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1)


def write_templates(path: Path) -> None:
    """Write flows of about 1.1 kB on the wire, as those of a real cluster are."""
    client = pod("shop/cart-7d9f8c6b5-x2x7z")
    server = pod("shop/db-0", node=client.node)
    with path.open("w") as lines:
        for number in range(200):
            kind = {"kind": VERDICT} if number % 10 == 0 else {"flags": "ACK", "point": "TO_STACK"}
            flow = flow_dict(client, server, ports=(40_000 + number, 5_432), is_reply=False, **kind)
            for party in ("source", "destination"):
                flow[party]["labels"] = list(LABELS)
            lines.write(json.dumps({"flow": flow}) + "\n")


def bare(address: str, *options: tuple[str, int]) -> Iterator[int]:
    """Read messages and do nothing with them; give how many came."""
    settings = HubbleSettings(address=address)
    channel = grpc.insecure_channel(address, options=options)
    call = channel.unary_stream(GET_FLOWS, request_serializer=None, response_deserializer=None)(
        flows_request(settings, time.time_ns(), False)
    )
    try:
        for _ in call:
            yield 1
    finally:
        call.cancel()
        channel.close()


def source(address: str, mask: str) -> Iterator[int]:
    """Read lines as the exporter does."""
    settings = HubbleSettings.model_validate({"address": address, "field_mask": mask})
    stream = HubbleStream(settings, print)
    for batch in stream.batches():
        yield len(batch)


def measure(name: str, counts: Iterator[int], seconds: float) -> None:
    """Print what a reader reaches, from its first flow on."""
    while not next(counts):
        pass
    begin, used, flows = time.perf_counter(), time.process_time(), 0
    for count in counts:
        flows += count
        if (not flows % 256 or count != 1) and time.perf_counter() - begin >= seconds:
            break
    took, used = time.perf_counter() - begin, time.process_time() - used
    print(f"{name:<40} {flows / took:>9,.0f} flows/s {used / flows * 1e6:>7.1f} us of CPU a flow")


def main() -> None:
    """Measure all readers, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=60_000, help="flows a second that are made")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--tcp", action="store_true", help="TCP instead of a socket")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        templates = Path(folder) / "flows.jsonl"
        write_templates(templates)
        address = free_address() if wanted.tcp else f"unix://{folder}/agent.sock"
        agent = Agent(built("server"), address, ring=65_535, templates=templates, rate=wanted.rate)
        try:
            measure("bare client", bare(address), wanted.seconds)
            measure("bare client that polls for itself", bare(address, POLLING), wanted.seconds)
            measure("source, all fields", source(address, "off"), wanted.seconds)
            measure("source, masked", source(address, "on"), wanted.seconds)
        finally:
            agent.kill()


if __name__ == "__main__":
    main()
