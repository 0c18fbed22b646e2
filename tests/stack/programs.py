"""Programs that are not Python: required where they must be, else a reason to skip."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

import pytest
from deploy.local.stack.errors import ProgramMissingError
from deploy.local.stack.program import find_program


def required(names: Sequence[str], package: str) -> str:
    """The path of the first of ``names``; skips the test, or fails it where CI requires them."""
    try:
        return find_program(names, package)
    except ProgramMissingError as missing:
        if os.environ.get("HUBBLEWATCH_REQUIRE_PROMTOOL") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def promtool() -> str:
    return required(["promtool"], "prometheus")


def amtool() -> str:
    return required(["amtool"], "prometheus-alertmanager")


def run(*command: str) -> tuple[int, str]:
    """Exit code and all that was said."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ran.returncode, ran.stdout + ran.stderr
