"""A one-node Apache Kafka on this machine, for development and tests."""

from deploy.local.kafka.certificates import Authority, Certificate
from deploy.local.kafka.errors import (
    FolderInUseError,
    KafkaNodeError,
    KafkaStartError,
    KafkaUnavailableError,
    PortTakenError,
)
from deploy.local.kafka.node import KafkaNode
from deploy.local.kafka.properties import Security

__all__ = [
    "Authority",
    "Certificate",
    "FolderInUseError",
    "KafkaNode",
    "KafkaNodeError",
    "KafkaStartError",
    "KafkaUnavailableError",
    "PortTakenError",
    "Security",
]
