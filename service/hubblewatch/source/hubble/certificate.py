"""Looks at the certificate by which Hubble shows itself; gRPC tells only that it did not fit."""

from __future__ import annotations

import socket
import ssl

from msgspec import Struct

from hubblewatch.errors import ConfigurationError
from hubblewatch.settings import HubbleSettings
from hubblewatch.source.hubble.counts import ReconnectReason
from hubblewatch.source.hubble.trouble import HubbleTroubleError


class ServerCertificate(Struct, frozen=True):
    """A certificate that was verified: its names, the one that was looked for, and its end."""

    names: tuple[str, ...]
    checked_name: str
    not_after: float
    """Epoch seconds."""


def server_certificate(settings: HubbleSettings) -> ServerCertificate:
    """Connect as the exporter would, and give the server's certificate once it is verified.

    For an address host:port with TLS. Raises HubbleTroubleError with what is wrong and what to do,
    and ConfigurationError for files that cannot be used.
    """
    tls = settings.tls
    host, _, port = settings.address.rpartition(":")
    host = host.strip("[]")
    name = tls.server_name or host
    context = _context(settings)
    timeout = settings.connect_timeout_seconds
    try:
        with (
            socket.create_connection((host, int(port)), timeout) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            found = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise _trouble(settings, *_distrust(settings, name, error)) from None
    except ssl.SSLError as error:
        why = (error.reason or str(error)).lower().replace("_", " ")
        raise _trouble(
            settings,
            f"no TLS connection ({why})",
            "see whether that port serves TLS; if not, set hubble.tls.enabled to false",
        ) from None
    except OSError as error:
        why = error.strerror or str(error) or "no answer in time"
        raise _trouble(settings, f"no connection ({why})", "check hubble.address") from None
    names = [str(entry[1]) for entry in found.get("subjectAltName", ()) if len(entry) > 1]
    not_after = ssl.cert_time_to_seconds(str(found["notAfter"]))
    return ServerCertificate(tuple(names), name, float(not_after))


def _context(settings: HubbleSettings) -> ssl.SSLContext:
    tls = settings.tls
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ValueError) as error:
        files = ", ".join(str(file) for file in (tls.ca_file, tls.cert_file, tls.key_file) if file)
        raise ConfigurationError(
            f"the files of hubble.tls cannot be used ({error}); check {files}"
        ) from None
    context.set_alpn_protocols(["h2"])
    return context


def _distrust(
    settings: HubbleSettings, name: str, error: ssl.SSLCertVerificationError
) -> tuple[str, str]:
    told = error.verify_message
    # OpenSSL: 62 hostname mismatch, 64 IP address mismatch; 9 not yet valid, 10 expired.
    if error.verify_code in (62, 64):
        return (
            f"the certificate is not for {name}",
            "set hubble.tls.server_name to a name that is in it; Relay's is for "
            "ui.hubble-relay.cilium.io, an agent's for NODE.CLUSTER.hubble-grpc.cilium.io",
        )
    if error.verify_code in (9, 10):
        return f"the certificate is not valid now ({told})", "renew it, or set this machine's clock"
    source = settings.tls.ca_file or "the system's authorities"
    return (
        f"the certificate is not trusted ({told}), checked against {source}",
        "set hubble.tls.ca_file to the authority that signed it",
    )


def _trouble(settings: HubbleSettings, what: str, remedy: str) -> HubbleTroubleError:
    return HubbleTroubleError(ReconnectReason.CERTIFICATE, f"{settings.address}: {what}; {remedy}")
