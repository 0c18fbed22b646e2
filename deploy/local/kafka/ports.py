"""Ports that a broker can listen on."""

import random
import socket

FREE_PORTS = range(20_000, 30_000)
"""Below the range from which Linux takes outgoing connections' ports: a broker that comes back must
find its port still free."""

_TRIES = 200


def is_free(port: int) -> bool:
    """Return whether nothing listens on ``port`` of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Java does: connections of the last run that are still in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return ``count`` different free ports, chosen at random so that parallel runs do not meet."""
    chosen: list[int] = []
    for port in random.sample(FREE_PORTS, _TRIES):
        if is_free(port):
            chosen.append(port)
            if len(chosen) == count:
                return chosen
    raise OSError(f"no {count} free ports between {FREE_PORTS.start} and {FREE_PORTS.stop}")
