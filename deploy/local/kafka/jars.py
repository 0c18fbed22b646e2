"""Java and the broker's jars from Maven Central."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.kafka.errors import KafkaUnavailableError

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[3] / ".cache"
JAVA_VERSION = 17
"""The least that Kafka 4 runs on."""

INSTALL_JAVA = "apt-get install openjdk-17-jre-headless"
INSTALL_MAVEN = "apt-get install maven"
FETCH_TIMEOUT_SECONDS = 300
_OF_POM = "of-pom"


def kafka_version() -> str:
    """Return the Kafka version that the pom pins; the container image has the same."""
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    version = ET.parse(POM).getroot().findtext("m:properties/m:kafka.version", None, space)
    assert version is not None
    return version


def find_java() -> str:
    """Return the path of a Java that can run the broker; raises KafkaUnavailableError if none."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else None
    java = java or shutil.which("java")
    if java is None:
        raise KafkaUnavailableError(
            f"Kafka needs Docker, or Java {JAVA_VERSION}, and there is neither: {INSTALL_JAVA}"
        )
    told = subprocess.run(
        [java, "-version"], check=False, capture_output=True, text=True, timeout=30
    )
    found = re.search(r'version "(\d+)', told.stderr)
    if found is None or int(found[1]) < JAVA_VERSION:
        what = found[0] if found else f"no version (exit code {told.returncode})"
        raise KafkaUnavailableError(
            f"Kafka needs Java {JAVA_VERSION} or later, and {java} says {what}: {INSTALL_JAVA}"
        )
    return java


def kafka_jars(cache: Path = CACHE) -> Path:
    """Return the folder with the broker's jars, fetched by Maven if it is not there yet.

    Processes that ask at the same time wait for the one that fetches. Raises KafkaUnavailableError.
    """
    folder = cache / f"kafka-{kafka_version()}"
    fingerprint = hashlib.sha256(POM.read_bytes()).hexdigest()
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{folder.name}.lock"):
        mark = folder / _OF_POM
        if not mark.is_file() or mark.read_text() != fingerprint:
            _fetch(folder, fingerprint)
    return folder


def _fetch(folder: Path, fingerprint: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError(
            f"Kafka's jars are fetched by Maven, which is not there: {INSTALL_MAVEN}"
        )
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [
        *(maven, "--quiet", "--batch-mode", "--file", str(POM)),
        *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={partial}"),
    ]
    try:
        fetched = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=FETCH_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise KafkaUnavailableError(
            f"Maven did not fetch Kafka's jars in {FETCH_TIMEOUT_SECONDS} s; is there a network?"
        ) from None
    if fetched.returncode != 0:
        reason = "\n".join((fetched.stdout + fetched.stderr).strip().splitlines()[:5])
        raise KafkaUnavailableError(f"Maven could not fetch Kafka's jars:\n{reason}")
    (partial / _OF_POM).write_text(fingerprint)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as opened:
        # Released by the system when this process ends, whatever ends it.
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
