"""Why there is no broker.

KafkaNodeError
├── KafkaUnavailableError
├── PortTakenError
├── FolderInUseError
└── KafkaStartError
"""


class KafkaNodeError(RuntimeError):
    """Something that keeps the node from running; its message says what to do."""


class KafkaUnavailableError(KafkaNodeError):
    """This machine has neither a container engine nor what running the jars needs."""


class PortTakenError(KafkaNodeError):
    """Another program listens on the wanted port."""


class FolderInUseError(KafkaNodeError):
    """Another node runs on the folder; two would ruin its records."""


class KafkaStartError(KafkaNodeError):
    """The broker ended, or did not answer in time; the message ends with the end of its log."""
