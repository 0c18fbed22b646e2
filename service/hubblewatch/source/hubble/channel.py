"""Opens channels to Hubble; every one has a connection of its own and fresh certificates."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import grpc
import grpc.experimental

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import HubbleSettings, HubbleTLSSettings

Metadata = tuple[tuple[str, str], ...]

MAX_RESPONSE_BYTES = 16 << 20
"""A flow is 1 to 4 kB; gRPC's own bound of 4 MB could refuse the node list of a large cluster."""

MAX_FILE_BYTES = 1 << 20
"""A larger file holds neither certificate nor password."""

_OPTIONS: tuple[tuple[str, int], ...] = (
    # Half the cost of a message: the reading thread polls for itself, none wakes it.
    (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1),
    # Without this a new channel takes over the connection of the old one, be it half open.
    ("grpc.use_local_subchannel_pool", 1),
    # Hubble closes connections with more than one ping in 5 minutes.
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    # Reconnecting is ours: it reads the certificates again and asks from where the stream broke.
    ("grpc.enable_retries", 0),
)


def open_channel(settings: HubbleSettings) -> grpc.Channel:
    """Return a channel that connects when it is used; the caller closes it.

    Raises ConfigurationError when a file of the settings cannot be used.
    """
    options: list[tuple[str, Any]] = list(_OPTIONS)
    tls = settings.tls
    if not tls.enabled:
        return grpc.insecure_channel(settings.address, options=options)
    if tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return grpc.secure_channel(settings.address, _credentials(tls), options=options)


def call_metadata(settings: HubbleSettings) -> Metadata:
    """Return the metadata of a call: basic authorization where a user name is set."""
    if settings.username is None:
        return ()
    if settings.password is not None:
        password = settings.password.get_secret_value()
    else:
        assert settings.password_file is not None
        content = _content("password_file", settings.password_file)
        password = content.decode(errors="replace").rstrip("\r\n")
    login = base64.b64encode(f"{settings.username}:{password}".encode()).decode()
    return (("authorization", f"Basic {login}"),)


def _credentials(tls: HubbleTLSSettings) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=_pem("tls.ca_file", tls.ca_file),
        private_key=_pem("tls.key_file", tls.key_file),
        certificate_chain=_pem("tls.cert_file", tls.cert_file),
    )


def _pem(name: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    content = _content(name, path)
    # gRPC takes anything, and reports it as a server that cannot be reached.
    if b"-----BEGIN " not in content:
        raise ConfigurationError(f"hubble.{name} {path} holds no PEM block")
    return content


def _content(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigurationError(f"hubble.{name} {path} cannot be read: {why}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigurationError(f"hubble.{name} {path} is larger than {MAX_FILE_BYTES} bytes")
    return content
