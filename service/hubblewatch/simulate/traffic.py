"""The clockwork that opens connections, one after another in time order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush

from hubblewatch.simulate.clock import MILLISECOND, MINUTE
from hubblewatch.simulate.connections import (
    Connection,
    Course,
    DnsQuestion,
    HttpExchange,
    Protocol,
)
from hubblewatch.simulate.peers import Peer
from hubblewatch.simulate.ports import REUSE_AFTER_NS

Action = Callable[[int], int | None]
"""Called at a time in nanoseconds; gives the time of its next call, or None when it is done."""


class Traffic:
    """Actors that open connections, and the order in which these begin.

    `exhausted` counts connections not opened because their address had no free source port.
    """

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.exhausted = 0
        self._actions: list[tuple[int, int, Action]] = []
        self._pending: list[tuple[int, int, Connection]] = []
        self._order = 0
        self._number = 0
        self._echoes: dict[tuple[str, str], int] = {}

    def at(self, time_ns: int, action: Action) -> None:
        """Calls `action` at `time_ns`, and again whenever it asks for it."""
        if time_ns < self.end_ns:
            self._order += 1
            heappush(self._actions, (time_ns, self._order, action))

    def once(self, time_ns: int, action: Callable[[int], None]) -> None:
        """Calls `action` at `time_ns` and never again."""

        def only(now_ns: int) -> None:
            action(now_ns)

        self.at(time_ns, only)

    def open(
        self,
        at_ns: int,
        source: Peer,
        destination: Peer,
        protocol: Protocol,
        destination_port: int,
        *,
        course: Course = Course.NORMAL,
        lifetime_ns: int = 20 * MILLISECOND,
        exchanges: int = 1,
        proxied: bool = False,
        http: HttpExchange | None = None,
        dns: DnsQuestion | None = None,
        deny_policy: str = "",
        drop_reason: int = 0,
        service: tuple[str, str, str] | None = None,
        socket_traced: bool = False,
        names: tuple[str, ...] = (),
    ) -> None:
        """Opens a connection at `at_ns`, not earlier than the action that does so.

        ICMP between two addresses is opened at most once in five minutes, whichever begins, so
        that one run is one attempt.
        """
        # No attempt straddles the edge of a window merely because two nodes see it at two times.
        if at_ns % MINUTE > MINUTE - 2 * MILLISECOND:
            at_ns += 2 * MILLISECOND
        if at_ns >= self.end_ns:
            return
        if protocol is Protocol.ICMP:
            pair = (min(source.ip, destination.ip), max(source.ip, destination.ip))
            if at_ns - self._echoes.get(pair, -REUSE_AFTER_NS) < REUSE_AFTER_NS:
                return
            if len(self._echoes) > 20_000:
                self._echoes = {
                    known: last
                    for known, last in self._echoes.items()
                    if at_ns - last < REUSE_AFTER_NS
                }
            self._echoes[pair] = at_ns + lifetime_ns + exchanges * 1_000 * MILLISECOND
            port: int | None = 0
        else:
            port = source.ports.take(at_ns)
        if port is None:
            self.exhausted += 1
            return
        self._number += 1
        connection = Connection(
            number=self._number,
            start_ns=at_ns,
            source=source,
            destination=destination,
            protocol=protocol,
            source_port=port,
            destination_port=destination_port,
            course=course,
            lifetime_ns=lifetime_ns,
            exchanges=exchanges,
            proxied=proxied,
            http=http,
            dns=dns,
            deny_policy=deny_policy,
            drop_reason=drop_reason,
            service=service,
            socket_traced=socket_traced,
            names=names,
        )
        heappush(self._pending, (at_ns, self._number, connection))

    def connections(self) -> Iterator[Connection]:
        """All connections of the recording by their start; single use."""
        while self._actions or self._pending:
            while self._pending and (
                # What is done at the same nanosecond (a node dies) comes first.
                not self._actions or self._pending[0][0] < self._actions[0][0]
            ):
                connection = heappop(self._pending)[2]
                if _begins(connection):
                    yield connection
            if not self._actions:
                continue
            now_ns, _, action = heappop(self._actions)
            after_ns = action(now_ns)
            if after_ns is not None:
                self.at(max(after_ns, now_ns + 1), action)


_UNCHANGED_BY_DEATH = frozenset({Course.DENIED_EGRESS, Course.DROPPED, Course.UNANSWERED})


def _begins(connection: Connection) -> bool:
    """Whether it happens at all, judged at its start; to a pod that has ended nobody answers."""
    source = connection.source
    if connection.start_ns >= source.stopped_ns or (source.node and source.node.down):
        return False
    if not connection.to_the_dead:
        return True
    if source.node is None:
        # No node is left that could see it.
        return False
    if connection.course not in _UNCHANGED_BY_DEATH:
        connection.proxied, connection.http, connection.dns = False, None, None
        if connection.protocol is Protocol.TCP:
            connection.course, connection.exchanges = Course.UNANSWERED, 4
        else:
            connection.course = Course.ONE_WAY
    return True
