"""One event as Hubble's JSON.

A line is joined from pieces that do not change within a connection, because joining strings is
what a recording's speed depends on. The order of the members is Hubble's.
"""

from __future__ import annotations

from random import Random

from hubblewatch.simulate.clock import rfc3339
from hubblewatch.simulate.peers import Node, Peer

Event = tuple[int, int, str]
"""Time in nanoseconds, index of the reporting node, and the line without its newline."""

TCP_FLAGS: dict[str, tuple[str, str, int]] = {
    "SYN": ('"SYN":true', "SYN", 1),
    "SYN-ACK": ('"SYN":true,"ACK":true', "SYN, ACK", 1 | 2),
    "ACK": ('"ACK":true', "ACK", 2),
    "PSH": ('"PSH":true,"ACK":true', "ACK, PSH", 2 | 4),
    "FIN": ('"FIN":true,"ACK":true', "ACK, FIN", 2 | 8),
    "RST": ('"RST":true,"ACK":true', "ACK, RST", 2 | 16),
}
"""JSON, summary and bit mask of the flag combinations that occur."""

_L4_END: dict[str, str] = {"": "}}"}
_SUMMARY: dict[str, str] = {}
for _name, (_json, _text, _mask) in TCP_FLAGS.items():
    _L4_END[_name] = f',"flags":{{{_json}}}}}}}'
    _SUMMARY[_name] = f"TCP Flags: {_text}"

FORWARDED = '"FORWARDED"'

INGRESS = '"traffic_direction":"INGRESS"'
EGRESS = '"traffic_direction":"EGRESS"'


def uuid(rng: Random) -> str:
    """A version 4 UUID."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class LineWriter:
    """Joins lines of one cluster; holds the emitter's name and version."""

    def __init__(self, version: str) -> None:
        self._emitter = f'"emitter":{{"name":"Hubble","version":"{version}"}}'

    def line(
        self,
        rng: Random,
        time_ns: int,
        verdict: str,
        way: Way,
        flags: str,
        rest: str,
        policies: str = "",
    ) -> Event:
        """An L3/L4 event.

        `rest` is everything from `event_type` to before the summary, `policies` is empty or
        `,"egress_allowed_by":[…]` and its like.
        """
        time = rfc3339(time_ns)
        summary = _SUMMARY.get(flags) or way.summary
        return (
            time_ns,
            way.observer.index,
            f'{{"flow":{{"time":"{time}","uuid":"{uuid(rng)}",{self._emitter},'
            f'"verdict":{verdict},{way.head}{_L4_END[flags]}{way.tail}{rest},'
            f'"Summary":"{summary}"{policies}{way.end},"time":"{time}"}}',
        )

    def l7_line(
        self, rng: Random, time_ns: int, verdict: str, way: Way, rest: str, l7: str, summary: str
    ) -> Event:
        """An access log event of the proxy; it has no link layer and no flags."""
        time = rfc3339(time_ns)
        return (
            time_ns,
            way.observer.index,
            f'{{"flow":{{"time":"{time}","uuid":"{uuid(rng)}",{self._emitter},'
            f'"verdict":{verdict},{way.head_l3}}}}}{way.tail_l7},"l7":{l7}{rest},'
            f'"Summary":"{summary}"{way.end},"time":"{time}"}}',
        )

    def socket_line(self, rng: Random, time_ns: int, verdict: str, way: Way, rest: str) -> Event:
        """A socket event: no link layer, no source port."""
        time = rfc3339(time_ns)
        return (
            time_ns,
            way.observer.index,
            f'{{"flow":{{"time":"{time}","uuid":"{uuid(rng)}",{self._emitter},'
            f'"verdict":{verdict},{way.head_l3}}}}}{way.tail_sock}{rest},'
            f'"Summary":"{way.summary}"{way.end},"time":"{time}"}}',
        )


class Way:
    """One direction of a connection as one node describes it.

    `reply` tells that the packets go from the responder to the initiator.
    """

    __slots__ = (
        "end",
        "head",
        "head_l3",
        "observer",
        "reply",
        "summary",
        "tail",
        "tail_l7",
        "tail_sock",
    )

    def __init__(
        self,
        observer: Node,
        source: Peer,
        destination: Peer,
        l4: str,
        *,
        reply: bool,
        summary: str,
        source_endpoint: str | None = None,
        destination_endpoint: str | None = None,
        source_ip: str | None = None,
        destination_ip: str | None = None,
        names: tuple[str, ...] = (),
        source_mac: str | None = None,
    ) -> None:
        self.observer = observer
        self.reply = reply
        self.summary = summary
        self.head_l3 = (
            f'"IP":{{"source":"{source_ip or source.ip}",'
            f'"destination":"{destination_ip or destination.ip}","ipVersion":"IPv4"}},'
            f'"l4":{{{l4}'
        )
        destination_mac = destination.mac if destination.node is observer else observer.router_mac
        if source.node is not observer and source_mac is None:
            source_mac = observer.router_mac
        self.head = (
            f'"ethernet":{{"source":"{source_mac or source.mac}",'
            f'"destination":"{destination_mac}"}},{self.head_l3}'
        )
        ends = (
            f',"source":{source_endpoint or source.endpoint(observer)},'
            f'"destination":{destination_endpoint or destination.endpoint(observer)}'
        )
        naming = ""
        if names:
            listed = ",".join(f'"{name}"' for name in names)
            naming = f',"{"source" if reply else "destination"}_names":[{listed}]'
        node = f'"node_name":"{observer.name}"'
        self.tail = f'{ends},"Type":"L3_L4",{node}{naming}'
        self.tail_l7 = f'{ends},"Type":"L7",{node}{naming}'
        self.tail_sock = f'{ends},"Type":"SOCK",{node}{naming}'
        self.end = f"}},{node}"


def ports(protocol: str, source_port: int, destination_port: int) -> str:
    """The opening of `l4` for a protocol with ports, closed by the flags."""
    return f'"{protocol}":{{"source_port":{source_port},"destination_port":{destination_port}'


def icmp(kind: int) -> str:
    """The opening of `l4` for an ICMPv4 message; type 0 (echo reply) is left out as a zero."""
    return f'"ICMPv4":{{"type":{kind}' if kind else '"ICMPv4":{'
