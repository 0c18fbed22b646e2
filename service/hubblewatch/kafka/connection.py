"""Turns the settings into what aiokafka's and Faust's clients take."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import KafkaSecuritySettings, KafkaSettings

RETRY_BACKOFF_MS = 250
"""aiokafka's own 100 ms makes much noise and little difference while a broker is away."""

MAX_PASSWORD_FILE_BYTES = 4096
"""A larger file holds no password."""


@dataclass(frozen=True)
class BrokerCredentials:
    """What Faust's ``broker_credentials`` is made of.

    With ``username``: ``SASLCredentials(username=, password=, mechanism=, ssl_context=)``, which
    takes the protocol from whether there is a context; else ``SSLCredentials(ssl_context)``.
    """

    ssl_context: ssl.SSLContext | None
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def connection_arguments(settings: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments common to aiokafka's producer, consumer and admin client.

    Certificates and password are read anew at each call: make a client with fresh arguments. Raises
    ConfigurationError when one of their files cannot be used.
    """
    return {
        "bootstrap_servers": settings.servers,
        "client_id": settings.client_id,
        "request_timeout_ms": round(settings.request_timeout_seconds * 1000),
        "retry_backoff_ms": RETRY_BACKOFF_MS,
        **security_arguments(settings.security),
    }


def security_arguments(security: KafkaSecuritySettings) -> dict[str, Any]:
    """Return those of aiokafka's keyword arguments that encrypt a connection and log in."""
    arguments: dict[str, Any] = {
        "security_protocol": security.protocol,
        "ssl_context": tls_context(security),
    }
    if security.sasl:
        arguments |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": read_password(security),
        }
    return arguments


def broker_credentials(settings: KafkaSettings) -> BrokerCredentials | None:
    """Return what Faust needs to log in, None for PLAINTEXT; raises ConfigurationError."""
    security = settings.security
    context = tls_context(security)
    if security.sasl:
        return BrokerCredentials(
            context, security.mechanism, security.username, read_password(security)
        )
    return None if context is None else BrokerCredentials(context)


def broker_urls(settings: KafkaSettings) -> list[str]:
    """Return the bootstrap servers as Faust's ``broker`` takes them."""
    return [f"aiokafka://{server}" for server in settings.servers]


def tls_context(security: KafkaSecuritySettings) -> ssl.SSLContext | None:
    """Return a context that verifies the brokers, TLS 1.2 or later; None without TLS.

    Raises ConfigurationError that names the file which is missing or no PEM.
    """
    if not security.tls:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=security.ca_file)
    except (OSError, ValueError) as error:
        raise _unusable("ca_file", security.ca_file, error) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = security.check_hostname
    if security.cert_file is not None:
        try:
            context.load_cert_chain(security.cert_file, security.key_file, _no_password)
        except (OSError, ValueError) as error:
            # OpenSSL does not say which of the two it is, but the system does where one is missing.
            named = "cert_file" if security.key_file is None else "cert_file or key_file"
            both = f"{security.cert_file} or {security.key_file}"
            place = security.cert_file if security.key_file is None else both
            raise _unusable(named, place, error) from None
    return context


def read_password(security: KafkaSecuritySettings) -> str:
    """Return the password; raises ConfigurationError when its file cannot be used."""
    if security.password is not None:
        return security.password.get_secret_value()
    assert security.password_file is not None
    try:
        with security.password_file.open("rb") as opened:
            content = opened.read(MAX_PASSWORD_FILE_BYTES + 1)
        if len(content) > MAX_PASSWORD_FILE_BYTES:
            raise ValueError(f"it is larger than {MAX_PASSWORD_FILE_BYTES} bytes")
        password = content.decode().rstrip("\r\n")
        if not password:
            raise ValueError("it is empty")
    except UnicodeDecodeError:
        # Not the error's own words, which hold the password.
        wrong = ValueError("it is not UTF-8")
        raise _unusable("password_file", security.password_file, wrong) from None
    except (OSError, ValueError) as error:
        raise _unusable("password_file", security.password_file, error) from None
    return password


def _no_password() -> str:
    # Without this OpenSSL would ask at the terminal and wait there.
    raise ValueError("the key is encrypted, and only plain keys are supported")


def _unusable(name: str, path: Path | str | None, error: Exception) -> ConfigurationError:
    if isinstance(error, ssl.SSLError):
        reason: str | None = getattr(error, "reason", None)
        why = (reason or "no certificate or key in PEM form").lower().replace("_", " ")
    elif isinstance(error, OSError):
        why = error.strerror or str(error)
    else:
        why = str(error)
    return ConfigurationError(f"cannot use {path}, which is kafka.security.{name}: {why}")
