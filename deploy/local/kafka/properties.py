"""The broker's ``server.properties``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.kafka.certificates import Authority

PLAINTEXT = "PLAINTEXT"
SSL = "SSL"
MTLS = "MTLS"
SASL_PLAINTEXT = "SASL_PLAINTEXT"
SASL_SSL = "SASL_SSL"

SECURED_LISTENERS = (SSL, MTLS, SASL_PLAINTEXT, SASL_SSL)
"""The listeners beside PLAINTEXT; each name is its security protocol, but MTLS, which is SSL that
asks for the client's certificate."""

SECURED_HOST = "localhost"
"""The secured listeners' certificate is for this name and for no address, so that a client which
connects to 127.0.0.1 sees a certificate of another host."""


@dataclass(frozen=True)
class Security:
    """What the secured listeners accept.

    A client on PLAINTEXT may do everything; the others only what ``administrators`` may (users, and
    the common names of client certificates), all else is refused.
    """

    authority: Authority
    """Signs the broker's certificate and those of the clients."""

    users: Mapping[str, str] = field(default_factory=dict)
    """User name to password, for PLAIN and for SCRAM-SHA-512 alike."""

    administrators: Sequence[str] = ()
    """Who may do everything."""


def server_properties(
    folder: Path,
    ports: Mapping[str, int],
    controller_port: int,
    security: Security | None,
    bind_host: str,
) -> str:
    """Return the properties of a single node that keeps its records below ``folder``.

    ``ports`` names the listeners. Topics are never made by a client's mere asking, and internal
    topics have few partitions, so that starts are quick.
    """
    protocols = {"CONTROLLER": PLAINTEXT} | {name: SSL if name == MTLS else name for name in ports}
    listeners = [f"{name}://{bind_host}:{port}" for name, port in ports.items()]
    advertised = [f"{name}://{host_of(name)}:{port}" for name, port in ports.items()]
    values = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join([*listeners, f"CONTROLLER://127.0.0.1:{controller_port}"]),
        "advertised.listeners": ",".join(advertised),
        "inter.broker.listener.name": PLAINTEXT,
        "listener.security.protocol.map": ",".join(f"{n}:{p}" for n, p in protocols.items()),
        "log.dirs": str(folder / "records"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        # Tests of abandoned transactions do not wait the usual minute.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        # After a crash the node waits for its own former registration to expire: 9 s by default.
        "broker.session.timeout.ms": "1500",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        # Tests of crashed consumers do not wait the usual six seconds at least.
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.dedupe.buffer.size": str(8 << 20),
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
    if security is not None:
        values |= _security_properties(security)
    return "".join(f"{name}={value}\n" for name, value in values.items())


def host_of(listener: str) -> str:
    """Return the host by which clients reach ``listener``."""
    return "127.0.0.1" if listener == PLAINTEXT else SECURED_HOST


def _security_properties(security: Security) -> dict[str, str]:
    certificate = security.authority.issue("broker", [SECURED_HOST])
    logins = " ".join(f'user_{name}="{word}"' for name, word in security.users.items())
    values = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificate.bundle_file),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(security.authority.ca_file),
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "listener.name.mtls.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": ";".join(f"User:{name}" for name in ("ANONYMOUS", *security.administrators)),
    }
    modules = "org.apache.kafka.common.security"
    for listener in ("sasl_plaintext", "sasl_ssl"):
        prefix = f"listener.name.{listener}"
        values[f"{prefix}.plain.sasl.jaas.config"] = (
            f"{modules}.plain.PlainLoginModule required {logins};"
        )
        values[f"{prefix}.scram-sha-512.sasl.jaas.config"] = (
            f"{modules}.scram.ScramLoginModule required;"
        )
    return values
