"""The image's recipe: what a linter says, and the properties that matter.

It is not built here: `make image-check` does that, where there is an engine.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from deploy.local.image.checks import check_confinement
from deploy.local.image.engine import Engine
from deploy.local.image.errors import ImageError
from tests.stack.live import Live, served

from hubblewatch import __version__

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
INSTRUCTIONS: list[tuple[str, str]] = [
    (found[1], " ".join(found[2].replace("\\\n", " ").split()))
    for found in re.finditer(
        r"^([A-Z]+) ((?:[^\n\\]|\\\n|\\.)*)$",
        "\n".join(line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")),
        re.MULTILINE,
    )
]


def last(name: str) -> str:
    return [rest for instruction, rest in INSTRUCTIONS if instruction == name][-1]


def final_stage() -> list[tuple[str, str]]:
    start = max(place for place, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM")
    return INSTRUCTIONS[start:]


def health_check() -> list[str]:
    command: list[str] = json.loads(last("HEALTHCHECK").partition(" CMD ")[2])
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


def check_health(port: int) -> int:
    return subprocess.run(
        health_check(),
        env={"HUBBLEWATCH_SERVE__PORT": str(port)},
        capture_output=True,
        timeout=20,
        check=False,
    ).returncode


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    assert hadolint is not None
    ran = subprocess.run(
        [hadolint, "--no-color", str(DOCKERFILE)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


def test_both_stages_are_of_one_python_with_an_exact_version() -> None:
    image = next(rest for name, rest in INSTRUCTIONS if name == "ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.11\.\d+-slim-[a-z]+", image)
    stages = [rest for name, rest in INSTRUCTIONS if name == "FROM"]
    assert stages == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]


def test_every_package_is_checked_by_its_hash() -> None:
    installs = [
        command
        for name, rest in INSTRUCTIONS
        if name == "RUN"
        for command in rest.split(" && ")
        if "pip install" in command
    ]
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command


def test_it_runs_as_a_numeric_user_that_is_not_root() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last("USER"))


def test_nothing_runs_and_nothing_is_fetched_in_the_final_stage() -> None:
    names = {name for name, _ in final_stage()}
    assert not names & {"RUN", "ADD"}
    copies = [rest for name, rest in final_stage() if name == "COPY"]
    assert copies == ["--from=build /opt/hubblewatch /opt/hubblewatch"]


def test_it_starts_without_a_shell_and_writes_no_bytecode() -> None:
    assert json.loads(last("ENTRYPOINT")) == ["hubblewatch"]
    assert json.loads(last("CMD")) == ["--help"]
    assert "PYTHONDONTWRITEBYTECODE=1" in last("ENV")
    assert "PATH=/opt/hubblewatch/bin:" in last("ENV")


def test_it_says_what_it_is() -> None:
    labels = last("LABEL")
    for name in ("title", "description", "licenses", "source", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert ("ARG", f"VERSION={__version__}") in final_stage()


def test_the_variables_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from hubblewatch.settings import load_settings

    for name, value in re.findall(r"(HUBBLEWATCH_\w+)=(\S+)", last("ENV")):
        monkeypatch.setenv(name, value)
    settings = load_settings(None)
    assert settings.serve.host == "0.0.0.0"
    assert last("EXPOSE") == str(settings.serve.port)


def test_the_health_check_is_green_for_a_healthy_service() -> None:
    with served() as live:
        assert check_health(live.server.port) == 0


def test_the_health_check_is_red_for_a_stuck_one_and_for_none() -> None:
    live = Live()
    live.health.lag("worker", 1)
    live.clock.now += 1_000
    with live.server:
        assert check_health(live.server.port) != 0
    assert check_health(live.server.port) != 0


def test_all_that_is_copied_goes_to_the_builder() -> None:
    sent = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]

    def is_sent(path: str) -> bool:
        sends = True
        for pattern in sent:
            name = pattern.removeprefix("!")
            if fnmatch.fnmatch(path, name) or path.startswith(f"{name}/"):
                sends = pattern.startswith("!")
        return sends

    copied = [
        path
        for name, rest in INSTRUCTIONS
        if name == "COPY" and not rest.startswith("--from")
        for path in rest.split()[:-1]
    ]
    assert copied
    for path in copied:
        assert is_sent(path), path
        assert (ROOT / path).exists()
    assert not is_sent("deploy/demo/recording.jsonl.zst")
    assert not is_sent(".git/config")
    assert not is_sent("tests/builders.py")


def test_what_builds_the_service_is_what_is_tested_with() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / name).read_text(), re.MULTILINE))

    building = pins("deploy/image/requirements-build.lock")
    assert any(pin.startswith("hatchling==") for pin in building)
    assert building <= pins("requirements-dev.lock")


def test_the_check_is_skipped_with_the_reason_where_nothing_builds_images(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.local.image"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"skipped: no Docker and no Podman answers.*apt-get .*\n", ran.stdout)


def _engine(folder: Path, script: str) -> Engine:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Engine(str(program))


CONFINED: dict[str, object] = {
    "user": [10001, 10001],
    "capabilities": ["0" * 16] * 3,
    "written": [],
    "builders": [],
}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("user", [0, 0]),
        ("capabilities", ["000001ffffffffff"] * 3),
        ("written", ["/tmp"]),
        ("builders", ["pip"]),
    ],
)
def test_the_check_finds_a_container_that_may_do_more(
    tmp_path: Path, name: str, found: object
) -> None:
    check_confinement(_engine(tmp_path, f"echo '{json.dumps(CONFINED)}'"), "image")
    loose = _engine(tmp_path, f"echo '{json.dumps(CONFINED | {name: found})}'")
    with pytest.raises(ImageError, match=f"{name} of the container"):
        check_confinement(loose, "image")


def test_a_failed_build_is_told_with_its_last_lines(tmp_path: Path) -> None:
    engine = _engine(tmp_path, "echo no such package >&2; exit 3")
    with pytest.raises(ImageError, match="build ended with 3:\nno such package"):
        engine.build(ROOT, "image", ["PYTHON_IMAGE=none"])
