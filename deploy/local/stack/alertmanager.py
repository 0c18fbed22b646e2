"""Alertmanager with the project's routes and inhibitions, on this machine."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from deploy.local.stack.program import ASK_SECONDS, Program, find_program

CONFIGURATION = Path(__file__).parents[2] / "alertmanager" / "alertmanager.yaml"
PACKAGE = "prometheus-alertmanager"


class Alertmanager(Program):
    """One Alertmanager, without a cluster; raises ProgramMissingError where it is not installed."""

    def __init__(self, folder: Path, port: int, configuration: Path = CONFIGURATION) -> None:
        # Debian's name first: elsewhere the program is called what it is.
        program = find_program(["prometheus-alertmanager", "alertmanager"], PACKAGE)
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        super().__init__(
            "Alertmanager",
            [
                program,
                f"--config.file={configuration}",
                f"--storage.path={folder / 'notifications'}",
                f"--web.listen-address={self.address}",
                "--cluster.listen-address=",
            ],
            folder / "alertmanager.log",
            ready_url=f"{self.url}/-/ready",
        )

    def alerts(self) -> list[dict[str, Any]]:
        """Give the alerts it knows, inhibited and silenced ones too; raises OSError."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=ASK_SECONDS) as response:
            found: list[dict[str, Any]] = json.load(response)
        return found
