"""Docker or Podman: what builds an image and runs its containers."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.local.image.errors import EngineMissingError, ImageError

BUILT_WITHIN_SECONDS = 900
ENDED_WITHIN_SECONDS = 120
LIMITS = {"nofile": 4096, "nproc": 4096}
_INFO_TIMEOUT_SECONDS = 15
_SHOWN_LINES = 20


class Engine:
    """A program with Docker's command line. Its methods raise ImageError where it fails."""

    def __init__(self, program: str) -> None:
        """Take ``program``, the path of docker or podman."""
        self.name = Path(program).name
        self._program = [program]
        self._building: list[str] = []
        self._running: list[str] = []
        if self.name == "podman":
            # The older runtime also knows machines whose control groups are of both versions.
            if (runc := shutil.which("runc")) is not None:
                self._program += ["--runtime", runc]
            # Needs no namespaces and no mounts; Docker's format, since OCI's has no HEALTHCHECK.
            self._building = ["--isolation", "chroot", "--format", "docker"]
            self._running = ["--no-healthcheck", "--read-only-tmpfs=false"]
            # Podman sets limits of its own, and may not raise them everywhere.
            for name, limit in LIMITS.items():
                self._running += ["--ulimit", f"{name}={limit}:{limit}"]

    def call(self, *words: str, seconds: float = ENDED_WITHIN_SECONDS) -> str:
        """Return what the command prints; raises ImageError if it fails or takes too long."""
        try:
            done = subprocess.run(
                [*self._program, *words],
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ImageError(f"{self.name} {words[0]} did not end within {seconds:.0f} s") from None
        if done.returncode != 0:
            told = "\n".join((done.stdout + done.stderr).splitlines()[-_SHOWN_LINES:])
            raise ImageError(f"{self.name} {words[0]} ended with {done.returncode}:\n{told}")
        return done.stdout

    def succeeds(self, *words: str) -> bool:
        """Return whether the command ends well."""
        try:
            self.call(*words)
        except ImageError:
            return False
        return True

    def build(self, folder: Path, tag: str, arguments: Sequence[str]) -> None:
        """Build the Dockerfile in ``folder``; ``arguments`` are NAME=VALUE."""
        given = [word for argument in arguments for word in ("--build-arg", argument)]
        self.call(
            *("build", *self._building, "--tag", tag, *given, str(folder)),
            seconds=BUILT_WITHIN_SECONDS,
        )

    def import_root(self, archive: Path, tag: str, path: str) -> None:
        """Make an image of one layer from a tar of a root file system; ``path`` is its PATH."""
        self.call(
            *("import", "--change", f"ENV PATH={path}", str(archive), tag),
            seconds=BUILT_WITHIN_SECONDS,
        )

    def run(self, options: Sequence[str], image: str, *command: str) -> str:
        """Run a container that may do nothing but what it must; return what it prints."""
        return self.call("run", *self._running, *CONFINED, *options, image, *command)


CONFINED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--pull", "never"),
)
"""Not even a /tmp that it could write to."""


def find_engine() -> Engine:
    """Return Docker if its engine answers, else Podman; raises EngineMissingError if neither."""
    docker = shutil.which("docker")
    if docker is not None and _answers(docker):
        return Engine(docker)
    podman = shutil.which("podman")
    if podman is not None and _answers(podman):
        return Engine(podman)
    install = "apt-get install --no-install-recommends podman runc"
    user = "" if os.geteuid() == 0 else ", or this user may not ask it"
    raise EngineMissingError(f"no Docker and no Podman answers{user}; on Debian: {install}")


def _answers(program: str) -> bool:
    try:
        done = subprocess.run(
            [program, "info"], capture_output=True, timeout=_INFO_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
