"""Cilium's own Hubble on this machine: its observer and its Relay, as processes of a test."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from queue import Empty, Queue

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "hubble"
BUILD_SECONDS = 1_500
ANSWER_SECONDS = 20.0


class NoGoError(Exception):
    """The program cannot be built here."""


def built(name: str) -> Path:
    """The program from the Go module ``name``, built unless these very sources were before."""
    module = HERE / name
    sources = sorted([*module.glob("*.go"), module / "go.mod", module / "go.sum"])
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
    program = CACHE / f"{name}-{digest[:16]}"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise NoGoError("Go is not installed, so Cilium's Hubble cannot be built")
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_suffix(f".{os.getpid()}")
    done = subprocess.run(
        [go, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", unfinished, "."],
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NoGoError(f"go build of tests/hubble/{name} failed:\n{done.stderr[-2_000:]}")
    unfinished.rename(program)
    for older in CACHE.glob(f"{name}-*"):
        if older != program:
            older.unlink(missing_ok=True)
    return program


def free_address() -> str:
    """A TCP address of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Program:
    """A running program; its answers are the lines that it prints."""

    def __init__(self, program: Path, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._answers: Queue[str] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.expect("ready")

    def expect(self, answer: str, seconds: float = ANSWER_SECONDS) -> None:
        """Wait for an answer."""
        try:
            found = self._answers.get(timeout=seconds)
        except Empty:
            found = f"nothing, with exit code {self._process.poll()}"
        assert found == answer

    def say(self, *lines: bytes | str) -> None:
        """Write lines to its standard input."""
        assert self._process.stdin is not None
        for line in lines:
            self._process.stdin.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
        self._process.stdin.flush()

    def hang(self) -> None:
        """Stop it from doing anything, with its connections open."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after ``hang``."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(ANSWER_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._answers.put(line.decode().rstrip("\n"))
        except ValueError:
            return  # closed meanwhile


class Agent(Program):
    """An observer. Fed by ``feed``, or with ``rate`` by itself: uuids are NODE-0, NODE-1, …"""

    def __init__(
        self,
        program: Path,
        address: str,
        node: str = "worker-1",
        *,
        ring: int = 4_095,
        templates: Path | None = None,
        rate: float = 0,
        count: int = 0,
        tls_dir: Path | None = None,
    ) -> None:
        self.address = address
        self.node = node
        arguments: list[object] = [] if "oldserver" in program.name else ["agent"]
        arguments += ["-listen", address, "-node", node, "-ring", ring]
        if templates is not None:
            arguments += ["-templates", templates, "-rate", rate, "-count", count]
        if tls_dir is not None:
            arguments += ["-tls-dir", tls_dir]
        super().__init__(program, *arguments)

    def feed(self, lines: Iterable[bytes]) -> None:
        """Put flows into its ring; they are there when this returns."""
        self.say(*lines, b"")
        self.expect("taken")


class Relay(Program):
    """Relay before the agents that ``add`` names."""

    def __init__(self, program: Path, folder: Path, tls_dir: Path | None = None) -> None:
        self.address = free_address()
        peers = f"unix://{folder}/peers.sock"
        arguments: list[object] = ["relay", "-listen", self.address, "-peers", peers]
        if tls_dir is not None:
            arguments += ["-tls-dir", tls_dir]
        super().__init__(program, *arguments)
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        # "ready" says that its peers can be told; its own server begins a moment later.
        host, _, port = self.address.rpartition(":")
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, f"Relay does not listen on {self.address}"
                time.sleep(0.05)
            else:
                return

    def add(self, *agents: Agent) -> None:
        """Tell Relay of nodes."""
        self.say(*(f"add {agent.node} {agent.address}" for agent in agents))

    def delete(self, *agents: Agent) -> None:
        """Tell Relay that nodes are gone."""
        self.say(*(f"delete {agent.node}" for agent in agents))
