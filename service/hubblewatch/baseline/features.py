"""Which counts of a window the baselines follow."""

from __future__ import annotations

from hubblewatch.window.closed import ClosedWindow

LOOKUPS_PER_CONNECTION = 5
"""UDP attempts by which a client resolves one name: one per search domain, five with Kubernetes'
usual resolver configuration (``ndots:5``)."""


def explained_lookups(window: ClosedWindow) -> int:
    """UDP attempts on port 53 that go with the window's connections.

    A client resolves a name before it connects; look-ups up to that number for each TCP attempt
    follow from the TCP traffic and say nothing of their own.
    """
    return min(window.udp_dns, LOOKUPS_PER_CONNECTION * max(window.tcp, 1))


def unexplained_udp(window: ClosedWindow) -> int:
    """UDP attempts beyond the look-ups that go with connections."""
    return window.udp - explained_lookups(window)


def features(window: ClosedWindow) -> dict[str, float]:
    """Give the counts of a window that a subject's baseline follows, by name."""
    return {
        "attempts": window.attempts,
        "connections": window.attempts - explained_lookups(window),
        "tcp": window.tcp,
        "denied": window.denied,
        "failed": window.failed + window.dropped,
        "udp": unexplained_udp(window),
        "peer_ports": len(window.peer_ports),
        "peer_addresses": window.peer_addresses,
        "peer_namespaces": len(window.peer_namespaces),
    }
