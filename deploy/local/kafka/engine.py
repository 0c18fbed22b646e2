"""What runs the broker's Java classes: this machine's Java, or a container.

Both see the node's folder under the same path, so that properties and records are the same.
"""

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from deploy.local.kafka.errors import KafkaUnavailableError
from deploy.local.kafka.jars import find_java, kafka_jars, kafka_version

JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC")
_INFO_TIMEOUT_SECONDS = 10
_COMMAND_TIMEOUT_SECONDS = 60
_PULL_TIMEOUT_SECONDS = 600


class Engine(Protocol):
    """Runs one node at a time."""

    bind_host: str
    """Address that the broker's listeners bind to."""

    def command(self, folder: Path, java: Sequence[str], ports: Sequence[int]) -> list[str]:
        """Return the command line that runs Java with ``java``'s arguments, in the foreground.

        ``folder`` is what it may read and write, ``ports`` what it listens on.
        """

    def send(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """Send the signal to the broker that ``process`` runs."""

    def end_command(self, process: subprocess.Popen[bytes]) -> str:
        """Return the shell command that ends the broker at once."""


class JavaEngine:
    """The jars, on the Java of this machine; raises KafkaUnavailableError where it cannot."""

    bind_host = "127.0.0.1"

    def __init__(self) -> None:
        self._java = find_java()
        self._jars = kafka_jars()

    def command(self, folder: Path, java: Sequence[str], ports: Sequence[int]) -> list[str]:
        """Return the command line; ``folder`` and ``ports`` need no preparation here."""
        logging = (
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        )
        return [self._java, *JVM_OPTIONS, *logging, "-cp", f"{self._jars}/*", *java]

    def send(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """Send the signal to the process."""
        process.send_signal(number)

    def end_command(self, process: subprocess.Popen[bytes]) -> str:
        """Return a kill of the process."""
        return f"kill -9 {process.pid}"


class DockerEngine:
    """The image apache/kafka; raises KafkaUnavailableError where no engine answers."""

    # A container's own loopback address cannot be published.
    bind_host = "0.0.0.0"

    def __init__(self) -> None:
        docker = shutil.which("docker")
        if docker is None or not _succeeds([docker, "info"], _INFO_TIMEOUT_SECONDS):
            raise KafkaUnavailableError("no Docker engine answers; start it, or install Java 17")
        self._docker = docker
        self._image = f"apache/kafka:{kafka_version()}"
        inspect = [docker, "image", "inspect", self._image]
        pull = [docker, "pull", "--quiet", self._image]
        if not _succeeds(inspect, _INFO_TIMEOUT_SECONDS) and not _succeeds(
            pull, _PULL_TIMEOUT_SECONDS
        ):
            raise KafkaUnavailableError(f"Docker could not pull {self._image}; is there a network?")
        self._container = ""

    def command(self, folder: Path, java: Sequence[str], ports: Sequence[int]) -> list[str]:
        """Return the command line of a new container with a name of its own."""
        self._container = f"hubblewatch-kafka-{uuid.uuid4().hex[:12]}"
        published = [word for port in ports for word in ("-p", f"127.0.0.1:{port}:{port}")]
        return [
            *(self._docker, "run", "--rm", "--name", self._container),
            *("--user", f"{os.getuid()}:{os.getgid()}", "-v", f"{folder}:{folder}"),
            *published,
            *("--entrypoint", "java", self._image),
            *(*JVM_OPTIONS, "-Dlog4j2.level=INFO", "-cp", "/opt/kafka/libs/*", *java),
        ]

    def send(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """Have Docker send the signal: the process is only its client."""
        name = number.name.removeprefix("SIG")
        subprocess.run(
            [self._docker, "kill", "--signal", name, self._container],
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=_COMMAND_TIMEOUT_SECONDS,
        )

    def end_command(self, process: subprocess.Popen[bytes]) -> str:
        """Return the removal of the container."""
        return f"{self._docker} rm -f {self._container}"


def find_engine(wanted: str = "auto") -> Engine:
    """Return the engine ``wanted``: docker, java, or auto for the first of these that there is.

    Raises KafkaUnavailableError, which says what to install.
    """
    if wanted == "docker":
        return DockerEngine()
    if wanted == "auto":
        try:
            return DockerEngine()
        except KafkaUnavailableError:
            pass
    return JavaEngine()


def _succeeds(command: Sequence[str], timeout_seconds: float) -> bool:
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
