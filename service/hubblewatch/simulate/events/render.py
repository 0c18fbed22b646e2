"""Which events show a connection, given who is allowed to report it."""

from __future__ import annotations

from collections.abc import Iterator

from hubblewatch.simulate.connections import Connection, Course
from hubblewatch.simulate.events.line import Event
from hubblewatch.simulate.events.plain import (
    Observation,
    denial_events,
    destination_events,
    drop_events,
    sent_but_denied_events,
    source_events,
)
from hubblewatch.simulate.events.proxied import ProxiedConnection
from hubblewatch.simulate.events.socket import socket_events
from hubblewatch.simulate.randomness import stream_seed
from hubblewatch.simulate.settings import Vantage
from hubblewatch.simulate.topology import Cluster


class Renderer:
    """Turns connections into events; each from its own random stream.

    With vantage `source` or `destination` a connection is reported by one node: the one asked
    for if it can tell the outcome, else the one that can. So a denial is reported by the node
    that denies, and a proxied connection by the initiator's node.
    """

    def __init__(
        self, cluster: Cluster, observation: Observation, vantage: Vantage, seed: int
    ) -> None:
        self._cluster = cluster
        self._observation = observation
        self._vantage = vantage
        self._seed = stream_seed(seed, "rendering")

    def events(self, connection: Connection) -> list[Iterator[Event]]:
        """One iterator an observation point, each in time order."""
        seed = self._seed + connection.number * 16
        streams = self._streams(connection, seed)
        if connection.socket_traced:
            streams.append(socket_events(connection, self._observation, seed))
        return streams

    def _streams(self, connection: Connection, seed: int) -> list[Iterator[Event]]:
        observation, vantage = self._observation, self._vantage
        source, destination = connection.source, connection.destination
        course = connection.course
        if connection.proxied:
            assert source.node is not None
            router = self._cluster.kubelets[source.node.index]
            proxy = ProxiedConnection(connection, observation, router, seed)
            streams = [proxy.initiator_events()]
            # A connection within one node has one reporter, which sees the leg too.
            whole = vantage is Vantage.BOTH or source.node is destination.node
            if whole or vantage is Vantage.SOURCE:
                streams.append(proxy.leg_departure_events())
            if whole:
                streams.append(proxy.leg_arrival_events())
            return streams
        if course is Course.DENIED_EGRESS:
            return [denial_events(connection, observation, seed, ingress=False)]
        if course is Course.DROPPED:
            return [drop_events(connection, observation, seed)]
        if course is Course.DENIED_INGRESS:
            streams = [denial_events(connection, observation, seed, ingress=True)]
            if vantage is Vantage.BOTH or source.node is destination.node:
                streams.append(sent_but_denied_events(connection, observation, seed))
            return streams
        at_source, at_destination = self._reporters(connection)
        streams = []
        if at_source:
            streams.append(source_events(connection, observation, seed))
        if at_destination:
            streams.append(destination_events(connection, observation, seed))
        return streams

    def _reporters(self, connection: Connection) -> tuple[bool, bool]:
        source, destination = connection.source.node, connection.destination.node
        arrives = bool(connection.destination.interface) and not connection.to_the_dead
        if source is None:
            return False, arrives
        if not arrives:
            return True, False
        if self._vantage is Vantage.BOTH or source is destination:
            return True, True
        if connection.course is Course.AUDITED:
            return True, False
        return self._vantage is Vantage.SOURCE, self._vantage is Vantage.DESTINATION
