"""Where Kafka is, how to log in to it, and what the topics there are like."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from hubblewatch.settings.block import SettingsBlock

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


def _joined(value: Any) -> Any:
    """Let a YAML list stand for Kafka's own form, addresses with commas between them."""
    if isinstance(value, list) and all(isinstance(address, str) for address in value):
        return ",".join(value)
    return value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class KafkaSecuritySettings(SettingsBlock):
    """How to reach Kafka safely; the fields must fit the protocol."""

    protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)
    ] = "PLAINTEXT"
    """SSL is TLS; SASL logs in by name and password. The brokers' listener decides which it is."""

    ca_file: Path | None = None
    """PEM certificates of the authorities to trust, instead of those the system trusts."""

    cert_file: Path | None = None
    """PEM certificate (with its chain) by which the brokers know this client, for mutual TLS."""

    key_file: Path | None = None
    """PEM key of cert_file, not encrypted; not needed if cert_file holds it too."""

    check_hostname: bool = True
    """Whether the brokers' certificates must be for the names by which they are reached."""

    mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(_upper)
    ] = "SCRAM-SHA-512"
    """How name and password are shown to the brokers."""

    username: str | None = Field(default=None, min_length=1)
    """Name to log in with."""

    password: SecretStr | None = None
    """Its password; password_file is the better place in Kubernetes."""

    password_file: Path | None = None
    """File with the password (a line end after it does not count), read anew at every login."""

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def sasl(self) -> bool:
        """Whether this client logs in by name and password."""
        return self.protocol.startswith("SASL")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        files = ("ca_file", "cert_file", "key_file")
        login = ("username", "password", "password_file")
        if not self.tls:
            self._refuse(files, "needs protocol SSL or SASL_SSL")
        if not self.sasl:
            self._refuse(login, "needs protocol SASL_SSL or SASL_PLAINTEXT")
        elif self.username is None:
            raise ValueError(f"protocol {self.protocol} needs a username")
        elif (self.password is None) == (self.password_file is None):
            raise ValueError(f"protocol {self.protocol} needs either password or password_file")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file")
        return self

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} {why}, not {self.protocol}")


class RetentionSettings(SettingsBlock):
    """How long records stay in the topics, in hours."""

    flows_hours: int = Field(default=24, ge=1, le=87_600)
    """hubble.flows; a worker that was away longer than this loses flows."""

    windows_hours: int = Field(default=14 * 24, ge=1, le=87_600)
    """hubble.windows; what a model can be trained on."""

    alerts_hours: int = Field(default=90 * 24, ge=1, le=87_600)
    """hubble.alerts, of which the last record of an incident stays until then."""

    rejects_hours: int = Field(default=7 * 24, ge=1, le=87_600)
    """hubble.rejects."""


class KafkaSettings(SettingsBlock):
    """Kafka's address, access and topics."""

    bootstrap_servers: Annotated[str, BeforeValidator(_joined)] = "localhost:9092"
    """Brokers to ask first, host:port with commas between them (in YAML a list too)."""

    client_id: str = Field(default="hubblewatch", min_length=1, max_length=200)
    """Name of this client in the brokers' logs, metrics and quotas."""

    request_timeout_seconds: float = Field(default=40.0, ge=1, le=600)
    """How long to wait for the answer to a request."""

    security: KafkaSecuritySettings = KafkaSecuritySettings()

    topic_prefix: str = Field(default="hubble.", max_length=200, pattern=r"^[A-Za-z0-9._-]*$")
    """Begin of every topic's name."""

    partitions: int = Field(default=12, ge=1, le=10_000)
    """Partitions of the topics, so the most workers that can share the work."""

    replication_factor: int | None = Field(default=None, ge=1, le=100)
    """Copies of each partition; unset: three, or as many as there are brokers if fewer."""

    retention: RetentionSettings = RetentionSettings()

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: str) -> str:
        addresses = [address.strip() for address in value.split(",")]
        for address in addresses:
            found = _ADDRESS.fullmatch(address)
            if found is None or not 0 < int(found[2]) < 65_536:
                # Not the value, which is shown beside this, without a login that may be in it.
                raise ValueError("is not host:port,host:port; wanted is no scheme and no login")
        return ",".join(addresses)

    @property
    def servers(self) -> list[str]:
        """The bootstrap servers, each as host:port."""
        return self.bootstrap_servers.split(",")
