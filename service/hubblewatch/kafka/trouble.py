"""What is wrong with Kafka, in words for the person who can mend it."""

import socket
import ssl
from enum import StrEnum

from aiokafka.errors import (
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    IncompatibleBrokerVersion,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)

from hubblewatch.errors import HubblewatchError
from hubblewatch.settings import KafkaSettings


class TroubleKind(StrEnum):
    """Kinds of trouble, as logs and ``doctor`` name them."""

    UNREACHABLE = "unreachable"
    """No connection, or no answer in time; may pass."""

    WRONG_PROTOCOL = "wrong-protocol"
    """The listener speaks another protocol than the settings say."""

    AUTHENTICATION_FAILED = "authentication-failed"
    CERTIFICATE_NOT_TRUSTED = "certificate-not-trusted"
    HOSTNAME_MISMATCH = "hostname-mismatch"
    CLIENT_CERTIFICATE_REFUSED = "client-certificate-refused"
    NOT_AUTHORIZED = "not-authorized"
    TOPIC_MISSING = "topic-missing"
    OTHER = "other"


class KafkaTroubleError(HubblewatchError):
    """Kafka cannot be used; ``str`` of it is ``reason`` and ``remedy`` in one line."""

    def __init__(self, kind: TroubleKind, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.kind = kind
        self.reason = reason
        self.remedy = remedy


_NOT_AUTHORIZED = {
    TopicAuthorizationFailedError: "this topic",
    GroupAuthorizationFailedError: "this consumer group",
    ClusterAuthorizationFailedError: "the cluster",
    TransactionalIdAuthorizationFailed: "this transactional id",
}


def explain(error: BaseException, settings: KafkaSettings, place: str) -> KafkaTroubleError:
    """Return ``error``, met when using ``place`` (a broker's address or a topic), in plain words.

    ``error`` is one of aiokafka's, of ssl's or of the network's; an unknown one keeps its words.
    """
    tls = _tls_trouble(error, settings, place)
    if tls is not None:
        return tls
    sasl = _sasl_trouble(error, settings, place)
    if sasl is not None:
        return sasl
    for kind, what in _NOT_AUTHORIZED.items():
        if isinstance(error, kind):
            return KafkaTroubleError(
                TroubleKind.NOT_AUTHORIZED,
                f"Kafka does not allow {client_name(settings)} to use {what}: {place}",
                "grant it in Kafka's ACLs",
            )
    if isinstance(error, UnknownTopicOrPartitionError):
        return topic_missing(place)
    if isinstance(error, BrokerResponseError | IncompatibleBrokerVersion):
        return KafkaTroubleError(TroubleKind.OTHER, f"Kafka refuses {place}: {words(error)}", "")
    return _network_trouble(error, settings, place)


def topic_missing(topic: str) -> KafkaTroubleError:
    """Return the trouble that ``topic`` does not exist."""
    return KafkaTroubleError(
        TroubleKind.TOPIC_MISSING,
        f"the topic {topic} does not exist",
        "create it by: hubblewatch topics --apply",
    )


def client_name(settings: KafkaSettings) -> str:
    """Return how messages name this client: its user, its certificate's file, or anonymous."""
    security = settings.security
    if security.sasl:
        return f"user {security.username}"
    if security.cert_file is not None:
        return f"the owner of {security.cert_file}"
    return "an anonymous client"


def words(error: BaseException) -> str:
    """Return what ``error`` says, in one line, or its name if it says nothing."""
    text = " ".join(str(error).split())
    return text or type(error).__name__


def _tls_trouble(
    error: BaseException, settings: KafkaSettings, place: str
) -> KafkaTroubleError | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        told = error.verify_message
        # OpenSSL: 62 hostname mismatch, 64 IP address mismatch.
        if error.verify_code in (62, 64):
            return KafkaTroubleError(
                TroubleKind.HOSTNAME_MISMATCH,
                f"the certificate of the broker at {place} is for another name ({told})",
                "reach it by a name that is in its certificate (for the brokers behind the "
                "bootstrap address that is advertised.listeners), or have one made for this name",
            )
        source = settings.security.ca_file or "the system's authorities"
        return KafkaTroubleError(
            TroubleKind.CERTIFICATE_NOT_TRUSTED,
            f"the certificate of the broker at {place} is not trusted ({told})",
            "it has expired: renew it, or set this machine's clock"
            # OpenSSL: 9 not yet valid, 10 expired.
            if error.verify_code in (9, 10)
            else f"it was checked against {source}: set kafka.security.ca_file to the authority "
            "that signed it",
        )
    alert = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    if not isinstance(alert, ssl.SSLError):
        return None
    # Only errors from OpenSSL itself have a reason.
    reason = (getattr(alert, "reason", None) or words(alert)).lower().replace("_", " ")
    # After TLS 1.3's handshake a broker that dislikes the client's certificate says so by an alert.
    if "alert" in reason and ("certificate" in reason or "unknown ca" in reason):
        file = settings.security.cert_file
        return KafkaTroubleError(
            TroubleKind.CLIENT_CERTIFICATE_REFUSED,
            f"the broker at {place} refuses the client's certificate ({reason})"
            if file is not None
            else f"the broker at {place} asks for a client's certificate",
            f"have {file} signed by an authority that the brokers trust, and renewed in time"
            if file is not None
            else "set kafka.security.cert_file and key_file",
        )
    return KafkaTroubleError(
        TroubleKind.WRONG_PROTOCOL,
        f"no TLS connection to the broker at {place} ({reason})",
        "see whether that port's listener speaks TLS, and set kafka.security.protocol to match",
    )


def _sasl_trouble(
    error: BaseException, settings: KafkaSettings, place: str
) -> KafkaTroubleError | None:
    security = settings.security
    if isinstance(error, SaslAuthenticationFailed):
        return KafkaTroubleError(
            TroubleKind.AUTHENTICATION_FAILED,
            f"the broker at {place} refuses the login of {client_name(settings)} "
            f"by {security.mechanism}",
            "check kafka.security.username, its password, and that Kafka knows the user for "
            "this mechanism",
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return KafkaTroubleError(
            TroubleKind.WRONG_PROTOCOL,
            f"the broker at {place} knows no login by {security.mechanism}",
            "set kafka.security.mechanism to one that its listener has enabled",
        )
    if isinstance(error, IllegalSaslStateError):
        return KafkaTroubleError(
            TroubleKind.WRONG_PROTOCOL,
            f"the broker at {place} knows no login on this listener",
            f"set kafka.security.protocol to {'SSL' if security.tls else 'PLAINTEXT'}, or use the "
            "port of a SASL listener",
        )
    return None


def _network_trouble(
    error: BaseException, settings: KafkaSettings, place: str
) -> KafkaTroubleError:
    protocol = settings.security.protocol
    if isinstance(error, TimeoutError):
        return KafkaTroubleError(
            TroubleKind.UNREACHABLE,
            f"no answer from {place} within {settings.request_timeout_seconds:g} s",
            "check that the broker runs and that no firewall or network policy is in between",
        )
    if isinstance(error, socket.gaierror):
        return KafkaTroubleError(
            TroubleKind.UNREACHABLE,
            f"the name in {place} is not known ({error.strerror})",
            "check kafka.bootstrap_servers, and advertised.listeners of the brokers",
        )
    if isinstance(error, ConnectionRefusedError):
        return KafkaTroubleError(
            TroubleKind.UNREACHABLE,
            f"nothing listens at {place}",
            "check that the broker runs, and kafka.bootstrap_servers",
        )
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return KafkaTroubleError(
            TroubleKind.UNREACHABLE,
            f"{place} cannot be reached ({error.strerror or words(error)})",
            "check kafka.bootstrap_servers and the network",
        )
    # A broker that is spoken to in the wrong protocol hangs up without a word.
    return KafkaTroubleError(
        TroubleKind.UNREACHABLE,
        f"the broker at {place} closed the connection",
        f"if that lasts, its listener may speak another protocol than {protocol}: "
        "see kafka.security.protocol",
    )
