"""Prometheus with the project's rules, on this machine."""

from __future__ import annotations

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
    rules: Path = DEPLOY / "prometheus" / "rules",
) -> dict[str, Any]:
    """Give the shipped configuration with the addresses (``host:port``) of this machine."""
    found: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
    found["global"] = {
        "scrape_interval": f"{interval_seconds}s",
        "evaluation_interval": f"{interval_seconds}s",
    }
    found["rule_files"] = [str(rules / "*.yaml")]
    found["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [alertmanager]}]
    [scrape] = found["scrape_configs"]
    del scrape["dns_sd_configs"]
    scrape["static_configs"] = [{"targets": list(targets)}]
    return found


class Prometheus(Program):
    """Scrapes ``targets`` each ``interval_seconds`` and tells ``alertmanager``.

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
        self._configuration = local_configuration(targets, alertmanager, interval_seconds, rules)
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
        super().start()
