"""One program of the stack: found, started with a log file, waited for, stopped."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.stack.errors import ProgramMissingError, StackError

READY_WITHIN_SECONDS = 30.0
STOPPED_WITHIN_SECONDS = 10.0
ASK_SECONDS = 2.0
POLL_SECONDS = 0.1
SHOWN_LOG_LINES = 15


def find_program(names: Sequence[str], package: str) -> str:
    """Return the path of the first of ``names`` that is installed; raises ProgramMissingError."""
    for name in names:
        if (path := shutil.which(name)) is not None:
            return path
    raise ProgramMissingError(
        f"{names[0]} is not installed: apt-get install --no-install-recommends {package}"
    )


def answers(url: str) -> bool:
    """Return whether a GET of ``url`` gives 200."""
    try:
        with urllib.request.urlopen(url, timeout=ASK_SECONDS) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


class Program:
    """A process with a log file; a program that ends without stopping it takes it along.

    ``start`` and ``wait_ready`` raise StackError, which quotes the end of the log.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_file: Path,
        *,
        ready_url: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a process; ``variables`` is its whole environment, None for a copy of ours."""
        self.name = name
        self.command = list(command)
        self.log_file = log_file
        self.ready_url = ready_url
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The code it ended with; None while it runs or before it started."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start the process; return at once."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.log_file.open("wb") as log:
                # A session of its own: ctrl-c in the terminal is for us, who stop all in order.
                self._process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._variables,
                    start_new_session=True,
                )
        except OSError as refused:
            raise StackError(f"{self.name} cannot be started: {refused}") from refused
        # The shell's input ends with our last breath, however we go.
        self._guard = subprocess.Popen(
            ["sh", "-c", f"cat >/dev/null; kill -9 {self._process.pid}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_ready(self, seconds: float = READY_WITHIN_SECONDS) -> None:
        """Return when ``ready_url`` answers."""
        deadline = time.monotonic() + seconds
        while not answers(self.ready_url):
            if not self.running:
                raise StackError(self.obituary())
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} did not become ready in {seconds:.0f} s; the end of "
                    f"{self.log_file}:\n{self.log_end()}"
                )
            time.sleep(POLL_SECONDS)

    def wait_ended(self, seconds: float) -> None:
        """Return when the process has ended with code 0."""
        assert self._process is not None
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired as slow:
            raise StackError(
                f"{self.name} has not ended in {seconds:.0f} s; see {self.log_file}"
            ) from slow
        if code != 0:
            raise StackError(self.obituary())

    def obituary(self) -> str:
        """How the process ended, with the end of its log."""
        return (
            f"{self.name} ended with code {self.exit_code}; the end of {self.log_file}:\n"
            f"{self.log_end()}"
        )

    def log_end(self) -> str:
        """The last lines of its log."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return "\n".join(lines[-SHOWN_LOG_LINES:])

    def stop(self) -> None:
        """End the process in order (SIGTERM); kill it if that takes too long."""
        if self._process is not None and self.running:
            self._process.terminate()
            try:
                self._process.wait(STOPPED_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOPPED_WITHIN_SECONDS)
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
