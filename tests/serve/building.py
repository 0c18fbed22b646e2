"""Builders for the HTTP server's tests: a clock moved by hand, alert records, a raw client."""

from __future__ import annotations

import socket
from typing import Any

from prometheus_client import CollectorRegistry

from hubblewatch.metrics import Metrics
from hubblewatch.serve import AlertBoard, Answers, Health


class HandClock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Service:
    """All that the server shows, and its answers."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.health = Health(self.clock)
        self.board = AlertBoard()
        self.metrics = Metrics(CollectorRegistry(), version="1.2.3")
        self.answers = Answers(self.metrics.registry, self.health, self.board)


def alert(incident: str = "incident-1", status: str = "firing", **fields: Any) -> dict[str, Any]:
    return {
        "schema": "hubblewatch.alert/v1",
        "incident": incident,
        "status": status,
        "detector": "new-edge",
        "severity": "warning",
        "namespace": "shop",
        "workload": "cart",
        **fields,
    }


def exchange(port: int, request: bytes, timeout: float = 10.0) -> bytes:
    """What the server sends for raw bytes, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
        return received


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])
