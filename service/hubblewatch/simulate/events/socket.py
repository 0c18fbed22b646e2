"""Socket events: the service address a pod asks for, and the backend it gets."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hubblewatch.simulate.clock import MICROSECOND
from hubblewatch.simulate.connections import Connection
from hubblewatch.simulate.events.line import Event, Way
from hubblewatch.simulate.events.plain import Observation

_WORLD = '{"identity":2,"labels":["reserved:world"]}'


def socket_events(connection: Connection, observation: Observation, seed: int) -> Iterator[Event]:
    """TRACED with the service address, then TRANSLATED with the backend's; no source port yet."""
    source, service = connection.source, connection.service
    if service is None or source.node is None:
        return
    rng = Random(seed + 6)
    address, namespace, name = service
    l4 = f'"{connection.protocol.value}":{{"destination_port":{connection.destination_port}'
    cookie, cgroup = rng.getrandbits(24), rng.getrandbits(14)
    steps = (
        ("TRACED", 1, "PRE_DIRECTION_FWD", True),
        ("TRANSLATED", 2, "POST_DIRECTION_FWD", False),
    )
    for verdict, sub_type, point, before in steps:
        way = Way(
            source.node, source, connection.destination, l4, reply=False,
            summary=connection.protocol.value,
            destination_endpoint=_WORLD if before else None,
            destination_ip=address if before else None,
        )  # fmt: skip
        rest = (
            f',"event_type":{{"type":7,"sub_type":{sub_type}}},"destination_service":'
            f'{{"name":"{name}","namespace":"{namespace}"}},"sock_xlate_point":'
            f'"SOCK_XLATE_POINT_{point}","socket_cookie":"{cookie}","cgroup_id":"{cgroup}"'
        )
        at = connection.start_ns - (40 - 10 * sub_type) * MICROSECOND
        yield observation.writer.socket_line(rng, at, f'"{verdict}"', way, rest)
