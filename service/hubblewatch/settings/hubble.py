"""Where Hubble is, how to reach it, and which of its flows to ask for."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from hubblewatch.settings.block import SettingsBlock

_TCP = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")

Names = tuple[Annotated[str, Field(min_length=1, max_length=1_000)], ...]
Ports = tuple[Annotated[int, Field(ge=0, le=65_535)], ...]
Identities = tuple[Annotated[int, Field(ge=0, lt=1 << 32)], ...]
Verdict = Annotated[
    Literal["FORWARDED", "DROPPED", "ERROR", "AUDIT", "REDIRECTED", "TRACED", "TRANSLATED"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]
EventKind = Literal["drop", "trace", "policy-verdict", "trace-sock", "l7"]


class HubbleTLSSettings(SettingsBlock):
    """How to reach Hubble over TLS; the files are read again at every connection."""

    enabled: bool = False
    """Whether Hubble serves TLS; an agent's port 4244 mostly does, Relay only if told to."""

    ca_file: Path | None = None
    """PEM certificates of the authorities to trust, instead of those the system trusts."""

    cert_file: Path | None = None
    """PEM certificate (with its chain) by which Hubble knows this client, for mutual TLS."""

    key_file: Path | None = None
    """PEM key of cert_file, not encrypted."""

    server_name: str | None = Field(default=None, min_length=1, max_length=253)
    """Name to check in the server's certificate instead of the address's host; Relay's is for
    ui.hubble-relay.cilium.io, an agent's for NODE.CLUSTER.hubble-grpc.cilium.io."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if not self.enabled:
            for name in ("ca_file", "cert_file", "key_file", "server_name"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} needs enabled: true")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file need each other")
        return self


class FlowFilterSettings(SettingsBlock):
    """Which flows, by the names that ``hubble observe`` gives its options.

    A flow must match every field that is set, by any of its values. Where a field speaks of one
    party, either may match, but it must be the same party for all such fields.
    """

    namespaces: Names = ()
    """Namespaces of a party."""

    pods: Names = ()
    """Pods of a party, as namespace/begin-of-name; beside namespaces, any of both matches."""

    labels: Names = ()
    """Label selectors of a party, such as k8s:app=cart."""

    ips: Names = ()
    """Addresses or CIDR blocks of a party."""

    ports: Ports = ()
    """Ports of a party."""

    identities: Identities = ()
    """Security identities of a party."""

    verdicts: tuple[Verdict, ...] = ()
    """Verdicts on the flow."""

    types: tuple[EventKind, ...] = ()
    """Kinds of event."""

    protocols: Names = ()
    """Protocols: tcp, udp, icmp, sctp, http, dns."""

    nodes: Names = ()
    """Nodes that report, as name or cluster/name; * stands for any part of it."""


class HubbleSettings(SettingsBlock):
    """Hubble's address, access and what to ask it for."""

    address: str = "localhost:4245"
    """Relay or an agent: host:port, or unix:///var/run/cilium/hubble.sock."""

    tls: HubbleTLSSettings = HubbleTLSSettings()

    username: str | None = Field(default=None, min_length=1)
    """Name for basic authorization at a proxy before Hubble; Hubble itself asks for none."""

    password: SecretStr | None = None
    """Its password; password_file is the better place in Kubernetes."""

    password_file: Path | None = None
    """File with the password (a line end after it does not count), read at every connection."""

    only: FlowFilterSettings = FlowFilterSettings()
    """Flows to ask for; unset: all. What is not seen cannot be judged."""

    without: FlowFilterSettings = FlowFilterSettings()
    """Flows to leave out."""

    field_mask: Literal["on", "off", "auto"] = "auto"
    """Whether to ask only for the fields that are read, which saves bytes and costs Hubble work for
    each flow; auto does so over a network, and does without where Hubble cannot."""

    connect_timeout_seconds: float = Field(default=10.0, ge=0.1, le=300)
    """How long to wait until a connection stands."""

    check_seconds: float = Field(default=20.0, ge=0.1, le=240)
    """How often to ask Hubble whether it is alive; more often than every 5 minutes, or Hubble takes
    the connection for abandoned and its keepalive rules close it."""

    check_timeout_seconds: float = Field(default=10.0, ge=0.1, le=120)
    """How long to wait for that answer."""

    backoff_seconds: float = Field(default=0.5, gt=0, le=60)
    """Pause before the second attempt to connect; it doubles with every further one."""

    max_backoff_seconds: float = Field(default=30.0, gt=0, le=600)
    """Longest pause between attempts to connect."""

    overlap_seconds: float = Field(default=10.0, ge=0.1, le=300)
    """How far before the break to begin again; what was seen before is passed by."""

    max_resume_seconds: float = Field(default=900.0, ge=10, le=86_400)
    """Longest time to make up for after a break; Hubble holds minutes of flows at best."""

    buffer_flows: int = Field(default=20_000, ge=100, le=10_000_000)
    """Flows read ahead, about 1.5 kB each; when it is full, Hubble is made to wait, and reports
    what it lost by that."""

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        if value.startswith("unix://"):
            if not value.removeprefix("unix://").startswith("/"):
                raise ValueError("needs an absolute path: unix:///path/to/socket")
            return value
        found = _TCP.fullmatch(value)
        if found is None or not 0 < int(found[2]) < 65_536:
            # Not the value, which is shown beside this, without a login that may be in it.
            raise ValueError(
                "is neither host:port nor unix:///path; wanted is no scheme before a host: TLS is "
                "set by tls.enabled"
            )
        return value

    @model_validator(mode="after")
    def _login(self) -> Self:
        passwords = (self.password is not None) + (self.password_file is not None)
        if self.username is None and passwords:
            raise ValueError("a password needs a username")
        if self.username is not None and passwords != 1:
            raise ValueError("username needs either password or password_file")
        return self
