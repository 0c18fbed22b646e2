"""What the image must be and do, each tried in a container that may do nothing else."""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

from deploy.local.image.engine import Engine
from deploy.local.image.errors import ImageError
from deploy.local.kafka import KafkaNode
from deploy.local.kafka.engine import JavaEngine
from deploy.local.kafka.ports import free_ports

DEMO = Path(__file__).parents[2] / "demo"
RECORDING = "recording.jsonl.zst"
WITHIN_SECONDS = 120.0
_POLL_SECONDS = 0.5

ALONE = ("--rm", "--network", "none")
WITH_DEMO = ("-v", f"{DEMO}:/demo:ro")

LOOK = """
import importlib.util, json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
def writes(folder):
    try:
        open(folder + "/trial", "w").close()
    except OSError:
        return False
    return True
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "capabilities": [status[name] for name in ("CapPrm", "CapEff", "CapBnd")],
    "written": [d for d in ("/", "/tmp", "/var/tmp", "/opt/hubblewatch", os.getcwd()) if writes(d)],
    "builders": [name for name in ("pip", "setuptools") if importlib.util.find_spec(name)],
}))
"""


def check_confinement(engine: Engine, image: str) -> None:
    """Raise ImageError unless it runs as its numeric user, with no capability, writing nowhere."""
    told = engine.run([*ALONE, "--entrypoint", "python"], image, "-c", LOOK)
    expected = {
        "user": [10001, 10001],
        "capabilities": ["0" * 16] * 3,
        "written": [],
        "builders": [],
    }
    for name, value in json.loads(told).items():
        if value != expected[name]:
            raise ImageError(f"{name} of the container: {value} instead of {expected[name]}")


def check_version(engine: Engine, image: str) -> None:
    """Raise ImageError unless it says the version that is installed here."""
    _same("--version", engine.run(ALONE, image, "--version"), _here("--version"))


def check_replay(engine: Engine, image: str) -> int:
    """Return how many alert records it finds in the demo; raises ImageError if others than here."""
    found = engine.run([*ALONE, *WITH_DEMO], image, "replay", f"/demo/{RECORDING}", "--json")
    _same("replay", found, _here("replay", str(DEMO / RECORDING), "--json"))
    if not found:
        raise ImageError("replay finds nothing in the demo's recording")
    return len(found.splitlines())


def check_service(engine: Engine, image: str, kafka_engine: JavaEngine) -> int:
    """Return how many incidents a worker in a container has open after a container's export.

    The broker is a real one on this machine. Raises ImageError if the worker does not become
    healthy by the image's own check, finds nothing, or does not end well when it is stopped.
    """
    [port] = free_ports(1)
    name = f"hubblewatch-check-{uuid.uuid4().hex[:12]}"
    with (
        tempfile.TemporaryDirectory() as folder,
        KafkaNode(Path(folder), engine=kafka_engine) as node,
    ):
        options = [
            *("--network", "host", "-e", f"HUBBLEWATCH_KAFKA__BOOTSTRAP_SERVERS={node.bootstrap}"),
            *("-e", f"HUBBLEWATCH_SERVE__PORT={port}", "-e", "HUBBLEWATCH_SERVE__HOST=127.0.0.1"),
        ]
        engine.run(["--rm", *options], image, "topics", "--apply")
        try:
            engine.run(["--detach", "--name", name, *options], image, "detect")
            _wait_healthy(engine, image, name)
            recording = f"/demo/{RECORDING}"
            engine.run(["--rm", *options, *WITH_DEMO], image, "export", "--from", recording)
            found = _wait_alerts(port)
            engine.call("stop", "--time", "20", name)
            code = engine.call("inspect", "--format", "{{.State.ExitCode}}", name).strip()
            if code != "0":
                raise ImageError(f"the worker ended with {code} when it was stopped")
        except ImageError as error:
            if engine.succeeds("inspect", name):
                raise ImageError(f"{error}\n{engine.call('logs', '--tail', '20', name)}") from None
            raise
        finally:
            engine.succeeds("rm", "--force", name)
    return found


def _wait_healthy(engine: Engine, image: str, name: str) -> None:
    [told] = json.loads(engine.call("image", "inspect", image))
    # Docker's place and Podman's.
    kind, *command = (told["Config"].get("Healthcheck") or told["Healthcheck"])["Test"]
    if kind != "CMD":
        raise ImageError(f"the image's health check is not a command without a shell: {kind}")
    deadline = time.monotonic() + WITHIN_SECONDS
    while not engine.succeeds("exec", name, *command):
        if time.monotonic() > deadline:
            raise ImageError(f"the worker was not healthy within {WITHIN_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _wait_alerts(port: int) -> int:
    deadline = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < deadline:
        url = f"http://127.0.0.1:{port}/api/alerts"
        with urllib.request.urlopen(url, timeout=5) as response:
            found = int(json.load(response)["matching"])
        if found:
            return found
        time.sleep(_POLL_SECONDS)
    raise ImageError(f"the worker found nothing in the demo within {WITHIN_SECONDS:.0f} s")


def _here(*command: str) -> str:
    program = Path(sys.executable).with_name("hubblewatch")
    return subprocess.run(
        [program, *command], capture_output=True, text=True, timeout=WITHIN_SECONDS, check=True
    ).stdout


def _same(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise ImageError(f"{what} prints in the image\n{found}and here\n{expected}")
