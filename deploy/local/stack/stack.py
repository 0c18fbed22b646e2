"""The whole stack as processes of this machine, in the order in which the parts need each other."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.kafka import KafkaNode, KafkaNodeError
from deploy.local.kafka.ports import free_ports, is_free
from deploy.local.stack.alertmanager import Alertmanager
from deploy.local.stack.errors import StackError
from deploy.local.stack.program import Program
from deploy.local.stack.prometheus import Prometheus

HUBBLEWATCH = Path(sys.executable).with_name("hubblewatch")
TOPICS_WITHIN_SECONDS = 60.0
WORKER_WITHIN_SECONDS = 90.0
PARTITIONS = 4


@dataclass(frozen=True)
class Ports:
    """Where the parts listen, all on loopback."""

    kafka: int = 9092
    prometheus: int = 9090
    alertmanager: int = 9093
    exporter: int = 9463
    workers: tuple[int, ...] = (9464,)

    @staticmethod
    def usual(workers: int) -> Ports:
        """Those that everybody expects; raises StackError if one is taken."""
        ports = Ports(workers=tuple(9464 + number for number in range(workers)))
        named = {"Kafka": ports.kafka, "Prometheus": ports.prometheus}
        named |= {"Alertmanager": ports.alertmanager, "the exporter": ports.exporter}
        named |= {f"worker {n + 1}": port for n, port in enumerate(ports.workers)}
        for name, port in named.items():
            if not is_free(port):
                raise StackError(
                    f"port {port}, wanted for {name}, is taken by another program; "
                    "take free ones: make stack STACK_ARGS=--free-ports"
                )
        return ports

    @staticmethod
    def free(workers: int) -> Ports:
        """Any that nobody listens on."""
        kafka, prometheus, alertmanager, exporter, *others = free_ports(4 + workers)
        return Ports(kafka, prometheus, alertmanager, exporter, tuple(others))


class Stack:
    """Kafka, topics, workers, Prometheus and Alertmanager, then a recording as if it came live.

    ``start`` raises StackError; ``stop`` ends what runs, last started first. Data of an earlier
    run in ``folder`` is removed: an earlier replay's windows would be closed already.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        recording: Path,
        *,
        speed: float,
        interval_seconds: int = 5,
    ) -> None:
        """Prepare; ``interval_seconds`` is Prometheus's, of scrapes and of rules."""
        self._folder = folder.resolve()
        self._ports = ports
        self._running = ExitStack()
        self.programs: list[Program] = []
        # Both look for their programs here: what is missing is said before anything starts.
        self.alertmanager = Alertmanager(self._folder / "alertmanager", ports.alertmanager)
        self.prometheus = Prometheus(
            self._folder / "prometheus",
            ports.prometheus,
            targets=[f"127.0.0.1:{port}" for port in ports.workers],
            alertmanager=self.alertmanager.address,
            interval_seconds=interval_seconds,
        )
        self.kafka = KafkaNode(self._folder / "kafka", port=ports.kafka)
        export = [str(HUBBLEWATCH), "export", "--from", str(recording.resolve())]
        self.exporter = self._ours(
            "exporter",
            [*export, "--speed", str(speed), "--serve"],
            {"HUBBLEWATCH_SERVE__PORT": str(ports.exporter)},
            ready_url=f"{self.exporter_url}/readyz",
        )

    @property
    def worker_urls(self) -> list[str]:
        """Where the workers serve metrics and alerts."""
        return [f"http://127.0.0.1:{port}" for port in self._ports.workers]

    @property
    def exporter_url(self) -> str:
        """Where the exporter serves its metrics, as long as it runs."""
        return f"http://127.0.0.1:{self._ports.exporter}"

    def start(self) -> None:
        """Start all parts, each when what it needs is ready."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        try:
            self._running.enter_context(self.kafka)
        except KafkaNodeError as error:
            raise StackError(str(error)) from error
        topics = self._ours("topics", [str(HUBBLEWATCH), "topics", "--apply"])
        self._start(topics)
        topics.wait_ended(TOPICS_WITHIN_SECONDS)
        self.programs.remove(topics)
        workers = [
            self._ours(
                f"worker {number + 1}",
                [str(HUBBLEWATCH), "detect"],
                {"HUBBLEWATCH_SERVE__PORT": str(port), "HUBBLEWATCH_WORKER__INSTANCE": f"w{port}"},
                ready_url=f"{url}/readyz",
            )
            for number, (port, url) in enumerate(
                zip(self._ports.workers, self.worker_urls, strict=True)
            )
        ]
        for program in (*workers, self.alertmanager, self.prometheus):
            self._start(program)
        for program in (self.alertmanager, self.prometheus):
            program.wait_ready()
        for program in workers:
            program.wait_ready(WORKER_WITHIN_SECONDS)
        self._start(self.exporter)
        try:
            self.exporter.wait_ready()
        except StackError:
            if self.exporter.exit_code != 0:
                raise
            return  # a short recording is sent before anybody has looked
        self.prometheus.scrape_exporters([self.exporter_url.removeprefix("http://")])

    def check(self) -> None:
        """Raise StackError if a part ended by itself; the exporter may, when all is sent."""
        for program in self.programs:
            if program.running:
                continue
            if program is not self.exporter or program.exit_code != 0:
                raise StackError(program.obituary())
            # All is sent: from now on it is not a target that is down.
            self.prometheus.scrape_exporters([])
        if not self.kafka.running:
            raise StackError(f"Kafka ended by itself; see {self.kafka.log_file}")

    def incidents(self) -> list[dict[str, Any]]:
        """Give the alerts about incidents that Alertmanager has now."""
        return [alert for alert in self.alertmanager.alerts() if alert["labels"].get("detector")]

    def stop(self) -> None:
        """Stop all parts, last started first."""
        self._running.close()

    def _start(self, program: Program) -> None:
        self._running.callback(program.stop)
        self.programs.append(program)
        program.start()

    def _ours(
        self,
        name: str,
        command: list[str],
        variables: Mapping[str, str] | None = None,
        ready_url: str = "",
    ) -> Program:
        # Settings of the shell that starts the stack must not change it.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUBBLEWATCH_")}
        return Program(
            name,
            command,
            self._folder / f"{name.replace(' ', '-')}.log",
            ready_url=ready_url,
            variables={
                **inherited,
                "HUBBLEWATCH_CLUSTER": "demo",
                "HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap,
                "HUBBLEWATCH_KAFKA__PARTITIONS": str(PARTITIONS),
                **(variables or {}),
            },
        )
