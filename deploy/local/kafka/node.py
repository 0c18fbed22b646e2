"""One Kafka node: broker and controller in one process, with a folder of its own."""

import asyncio
import base64
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from deploy.local.kafka.engine import Engine, find_engine
from deploy.local.kafka.errors import KafkaStartError, PortTakenError
from deploy.local.kafka.guard import end_with_us, lock_folder
from deploy.local.kafka.ports import free_ports, is_free
from deploy.local.kafka.properties import (
    PLAINTEXT,
    SECURED_LISTENERS,
    Security,
    host_of,
    server_properties,
)

READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 20.0
_POLL_SECONDS = 0.1
_SHOWN_LOG_LINES = 20
_C1_ONLY = "-XX:TieredStopAtLevel=1"  # the format's second of life is not worth more compiling


class KafkaNode:
    """A Kafka node that can be stopped, killed, frozen and started again on the same records.

    Its methods block; an async test that wants its loop to go on calls them by
    ``asyncio.to_thread``. They raise the errors of ``deploy.local.kafka.errors``. A process that
    ends without having stopped its node takes it along.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        security: Security | None = None,
        engine: Engine | None = None,
    ) -> None:
        """Prepare a node whose records, properties and log are below ``folder``.

        ``port`` is the PLAINTEXT listener's, 0 for a free one; ``security`` adds the listeners
        SSL, MTLS, SASL_PLAINTEXT and SASL_SSL on free ports. A folder that was used before is
        taken over with its records.
        """
        self.folder = folder.resolve()
        self.log_file = self.folder / "kafka.log"
        self.security = security
        self._engine = engine
        names = (PLAINTEXT, *(SECURED_LISTENERS if security is not None else ()))
        self._controller_port, *chosen = free_ports(len(names) + 1)
        self._ports: Mapping[str, int] = dict(zip(names, chosen, strict=True))
        if port:
            self._ports = {**self._ports, PLAINTEXT: port}
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._frozen = False

    @property
    def bootstrap(self) -> str:
        """The PLAINTEXT listener as ``host:port``; the same after every restart."""
        return self.address(PLAINTEXT)

    def address(self, listener: str) -> str:
        """Return ``host:port`` of the listener PLAINTEXT, SSL, MTLS, SASL_PLAINTEXT or SASL_SSL."""
        return f"{host_of(listener)}:{self._ports[listener]}"

    @property
    def running(self) -> bool:
        """Whether there is a process; it may be frozen."""
        return self._process is not None and self._process.poll() is None

    def start(self, ready_within_seconds: float = READY_WITHIN_SECONDS) -> None:
        """Start the node and return when it answers a metadata request."""
        if self.running:
            return
        deadline = time.monotonic() + ready_within_seconds
        engine = self._engine = self._engine or find_engine()
        for name, port in self._ports.items():
            if not is_free(port):
                raise PortTakenError(f"port {port}, wanted for {name}, is taken by another program")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(self.folder)
        try:
            self._launch(engine)
            self._wait_until_ready(deadline)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the node in order (SIGTERM); kill it if that takes too long."""
        if self.running:
            self.resume()
            self._send(signal.SIGTERM)
            assert self._process is not None
            try:
                self._process.wait(STOPPED_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                self._send(signal.SIGKILL)
        self._reap()

    def kill(self) -> None:
        """End the node at once (SIGKILL), as a crash does."""
        if self.running:
            self._send(signal.SIGKILL)
        self._reap()

    def restart(self, *, crash: bool = False) -> None:
        """Stop the node, or kill it for ``crash``, and start it on the same records and ports."""
        if crash:
            self.kill()
        else:
            self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the node (SIGSTOP): connections stay open and nothing answers."""
        if self.running and not self._frozen:
            self._send(signal.SIGSTOP)
            self._frozen = True

    def resume(self) -> None:
        """Let a frozen node go on (SIGCONT)."""
        if self.running and self._frozen:
            self._send(signal.SIGCONT)
            self._frozen = False

    def wait_until_ready(self, within_seconds: float = READY_WITHIN_SECONDS) -> None:
        """Return when the running node answers a metadata request, as after ``resume``."""
        self._wait_until_ready(time.monotonic() + within_seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _launch(self, engine: Engine) -> None:
        assert self._lock is not None
        properties = self.folder / "server.properties"
        properties.write_text(
            server_properties(
                self.folder, self._ports, self._controller_port, self.security, engine.bind_host
            )
        )
        properties.chmod(0o600)  # it holds passwords
        if not (self.folder / "records" / "meta.properties").exists():
            self._format(engine, properties)
        command = engine.command(
            self.folder, ["kafka.Kafka", str(properties)], list(self._ports.values())
        )
        with self.log_file.open("ab") as log:
            # A session of its own: ctrl-c in the terminal is for us, who then stop it in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[self._lock],
            )
        self._frozen = False
        self._guard = end_with_us(engine.end_command(self._process))

    def _format(self, engine: Engine, properties: Path) -> None:
        scram = [
            word
            for user, password in (self.security.users if self.security else {}).items()
            for word in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")
        ]
        tool = [_C1_ONLY, "kafka.tools.StorageTool", "format", f"--cluster-id={_cluster_id()}"]
        java = [*tool, "--config", str(properties), *scram]
        done = subprocess.run(
            engine.command(self.folder, java, ()),
            check=False,
            capture_output=True,
            text=True,
            timeout=READY_WITHIN_SECONDS,
        )
        if done.returncode != 0:
            raise KafkaStartError(f"Kafka cannot use {self.folder}:\n{done.stdout}{done.stderr}")

    def _wait_until_ready(self, deadline: float) -> None:
        assert self._process is not None
        # In a thread of its own, as this one may be running an event loop already.
        with ThreadPoolExecutor(1) as thread:
            while not thread.submit(asyncio.run, _answers(self.bootstrap)).result():
                if self._process.poll() is not None:
                    what = f"ended with code {self._process.returncode}"
                elif time.monotonic() > deadline:
                    what = "did not answer in time"
                else:
                    time.sleep(_POLL_SECONDS)
                    continue
                raise KafkaStartError(f"Kafka {what}; the end of {self.log_file}:\n{self._end()}")

    def _end(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_SHOWN_LOG_LINES:])

    def _send(self, number: signal.Signals) -> None:
        assert self._engine is not None
        assert self._process is not None
        self._engine.send(self._process, number)

    def _reap(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        if self._process is not None:
            self._process.wait(STOPPED_WITHIN_SECONDS)
            self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


async def _answers(address: str) -> bool:
    """Return whether the broker at ``address`` answers a metadata request and names a broker."""
    host, _, port = address.rpartition(":")
    try:
        connection = await create_conn(host, int(port), request_timeout_ms=2_000)
        try:
            metadata = await connection.send(MetadataRequest([]))
        finally:
            connection.close()
    except (OSError, KafkaError, TimeoutError):
        return False
    return bool(metadata.brokers)


def _cluster_id() -> str:
    """Give a new one; it may begin with a dash, so it must not stand as a word of its own."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
