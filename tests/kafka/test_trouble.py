import socket
import ssl

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidReplicationFactorError,
    KafkaConnectionError,
    UnknownTopicOrPartitionError,
)

from hubblewatch.kafka.trouble import TroubleKind, explain
from hubblewatch.settings import KafkaSettings

SETTINGS = KafkaSettings(request_timeout_seconds=5)


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (TimeoutError(), TroubleKind.UNREACHABLE, "no answer from k:1 within 5 s"),
        (ConnectionRefusedError(), TroubleKind.UNREACHABLE, "nothing listens at k:1"),
        (socket.gaierror(-2, "unknown"), TroubleKind.UNREACHABLE, "the name in k:1 is not known"),
        (OSError(113, "No route to host"), TroubleKind.UNREACHABLE, "(No route to host)"),
        (KafkaConnectionError(), TroubleKind.UNREACHABLE, "closed the connection"),
        (UnknownTopicOrPartitionError(), TroubleKind.TOPIC_MISSING, "the topic k:1 does not exist"),
        (GroupAuthorizationFailedError(), TroubleKind.NOT_AUTHORIZED, "this consumer group: k:1"),
        (ssl.SSLError(1, "odd"), TroubleKind.WRONG_PROTOCOL, "no TLS connection"),
        (InvalidReplicationFactorError("too many"), TroubleKind.OTHER, "too many"),
    ],
)
def test_each_error_has_a_kind_and_plain_words(error, kind, part):
    trouble = explain(error, SETTINGS, "k:1")

    assert trouble.kind is kind
    assert part in trouble.reason


def test_a_missing_topic_comes_with_the_command_that_creates_it():
    trouble = explain(UnknownTopicOrPartitionError(), SETTINGS, "hubble.flows")

    assert str(trouble) == (
        "the topic hubble.flows does not exist; create it by: hubblewatch topics --apply"
    )
