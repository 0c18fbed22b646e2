"""Prometheus with the project's rules, on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from deploy.local.stack.program import Program, find_program

DEPLOY = Path(__file__).parents[2]
CONFIGURATION = DEPLOY / "prometheus" / "prometheus.yaml"
PACKAGE = "prometheus"


def local_configuration(
    targets: Sequence[str],
    alertmanager: str,
    interval_seconds: int,
    exporters: Path,
    rules: Path = DEPLOY / "prometheus" / "rules",
) -> dict[str, Any]:
    """Give the shipped configuration with the addresses (``host:port``) of this machine.

    The exporters' are those in the file ``exporters`` at the time.
    """
    found: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
    found["global"] = {
        "scrape_interval": f"{interval_seconds}s",
        "evaluation_interval": f"{interval_seconds}s",
    }
    found["rule_files"] = [str(rules / "*.yaml")]
    found["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [alertmanager]}]
    workers, exporting = found["scrape_configs"]
    del workers["dns_sd_configs"], exporting["dns_sd_configs"]
    workers["static_configs"] = [{"targets": list(targets)}]
    exporting["file_sd_configs"] = [{"files": [str(exporters)], "refresh_interval": "1s"}]
    return found


class Prometheus(Program):
    """Scrapes ``targets``, the workers, each ``interval_seconds`` and tells ``alertmanager``.

    Raises ProgramMissingError where prometheus is not installed.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        targets: Sequence[str],
        alertmanager: str,
        interval_seconds: int = 5,
        rules: Path = DEPLOY / "prometheus" / "rules",
    ) -> None:
        program = find_program(["prometheus"], PACKAGE)
        self.url = f"http://127.0.0.1:{port}"
        self._file = folder / "prometheus.yaml"
        self._exporters = folder / "exporters.json"
        self._configuration = local_configuration(
            targets, alertmanager, interval_seconds, self._exporters, rules
        )
        super().__init__(
            "Prometheus",
            [
                program,
                f"--config.file={self._file}",
                f"--storage.tsdb.path={folder / 'series'}",
                "--storage.tsdb.retention.time=1d",
                f"--web.listen-address=127.0.0.1:{port}",
                # An alert that ended is told to Alertmanager for a while; a restart must not wait.
                "--rules.alert.resend-delay=5s",
            ],
            folder / "prometheus.log",
            ready_url=f"{self.url}/-/ready",
        )

    def start(self) -> None:
        """Write the configuration and start."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(yaml.safe_dump(self._configuration, sort_keys=False))
        self.scrape_exporters([])
        super().start()

    def scrape_exporters(self, targets: Sequence[str]) -> None:
        """From now on scrape these exporters (``host:port``), and no others."""
        wanted = json.dumps([{"targets": list(targets)}])
        if self._exporters.exists() and self._exporters.read_text() == wanted:
            return
        part = self._exporters.with_suffix(".part")
        part.write_text(wanted)
        part.replace(self._exporters)
