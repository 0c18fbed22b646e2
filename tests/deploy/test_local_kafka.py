"""The parts of the local Kafka that need no broker; tests/broker has the others."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from deploy.local.kafka import (
    FolderInUseError,
    KafkaNode,
    KafkaStartError,
    KafkaUnavailableError,
    PortTakenError,
)
from deploy.local.kafka import jars as jars_module
from deploy.local.kafka.engine import DockerEngine, JavaEngine, find_engine
from deploy.local.kafka.jars import find_java, kafka_jars, kafka_version
from deploy.local.kafka.ports import free_ports, is_free


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A PATH with nothing on it but the shell and the scripts that the test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def put(name, script):
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    return put


def says_version(version):
    return f"echo 'openjdk version \"{version}\" 2025-04-15' >&2"


def writes_jar(calls):
    """A Maven that counts its calls and copies one jar to where it is told."""
    return (
        f'echo called >>"{calls}"\n'
        'for word; do case "$word" in -DoutputDirectory=*) to="${word#*=}";; esac; done\n'
        '/bin/mkdir -p "$to" && echo jar >"$to/kafka.jar"'
    )


def test_a_missing_java_gets_one_sentence_with_the_package(programs):
    with pytest.raises(KafkaUnavailableError) as met:
        find_engine()

    assert "apt-get install openjdk-17-jre-headless" in str(met.value)
    assert "\n" not in str(met.value)


def test_an_old_java_is_named_with_its_version(programs):
    programs("java", says_version("11.0.2"))

    with pytest.raises(KafkaUnavailableError, match=r'Java 17 or later.*version "11.*openjdk-17'):
        find_java()


def test_java_home_goes_before_the_path(programs, tmp_path, monkeypatch):
    programs("java", says_version("11.0.2"))
    home = tmp_path / "jdk" / "bin"
    home.mkdir(parents=True)
    (home / "java").write_text(f"#!/bin/sh\n{says_version('21.0.1')}\n")
    (home / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(home.parent))

    assert find_java() == str(home / "java")


def test_a_missing_maven_gets_one_sentence_with_the_package(programs, tmp_path):
    with pytest.raises(KafkaUnavailableError, match=r"apt-get install maven$"):
        kafka_jars(tmp_path / "cache")


def test_a_failed_fetch_leaves_nothing_that_looks_whole(programs, tmp_path):
    programs("mvn", "echo 'no such artifact'; exit 1")
    cache = tmp_path / "cache"

    with pytest.raises(KafkaUnavailableError, match="no such artifact"):
        kafka_jars(cache)

    assert not (cache / f"kafka-{kafka_version()}").exists()


def test_jars_are_fetched_once_however_many_ask_at_once(programs, tmp_path):
    calls = tmp_path / "calls"
    programs("mvn", f"/bin/sleep 0.2\n{writes_jar(calls)}")
    found = []

    threads = [
        threading.Thread(target=lambda: found.append(kafka_jars(tmp_path / "cache")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(found) == {tmp_path / "cache" / f"kafka-{kafka_version()}"}
    assert (found[0] / "kafka.jar").exists()
    assert calls.read_text().count("called") == 1


def test_jars_are_fetched_again_when_the_pom_changed(programs, tmp_path, monkeypatch):
    calls = tmp_path / "calls"
    programs("mvn", writes_jar(calls))
    kafka_jars(tmp_path / "cache")
    changed = tmp_path / "pom.xml"
    changed.write_bytes(jars_module.POM.read_bytes() + b"<!-- changed -->\n")
    monkeypatch.setattr(jars_module, "POM", changed)

    kafka_jars(tmp_path / "cache")

    assert calls.read_text().count("called") == 2


def test_docker_goes_first_where_an_engine_answers(programs):
    programs("docker", "exit 0")

    assert isinstance(find_engine(), DockerEngine)


def test_java_is_used_where_docker_does_not_answer(programs, tmp_path, monkeypatch):
    programs("docker", "exit 1")
    programs("java", says_version("17.0.15"))
    programs("mvn", writes_jar(tmp_path / "calls"))
    monkeypatch.setattr("deploy.local.kafka.engine.kafka_jars", lambda: tmp_path)

    assert isinstance(find_engine(), JavaEngine)


def test_a_container_gets_the_pinned_image_the_folder_and_loopback_ports_only(programs, tmp_path):
    programs("docker", "exit 0")

    command = DockerEngine().command(tmp_path, ["kafka.Kafka", "file"], [9092, 9093])

    assert f"apache/kafka:{kafka_version()}" in command
    assert f"{tmp_path}:{tmp_path}" in command
    published = [command[at + 1] for at, word in enumerate(command) if word == "-p"]
    assert published == ["127.0.0.1:9092:9092", "127.0.0.1:9093:9093"]
    assert command[-2:] == ["kafka.Kafka", "file"]


def test_signals_go_to_the_container_and_not_to_dockers_client(programs, tmp_path):
    programs("docker", f'echo "$*" >>"{tmp_path}/calls"')
    engine = DockerEngine()
    command = engine.command(tmp_path, [], [])
    name = command[command.index("--name") + 1]

    engine.send(None, signal.SIGSTOP)

    assert (tmp_path / "calls").read_text().splitlines()[-1] == f"kill --signal STOP {name}"


class Script:
    """An engine that runs a Python script instead of the broker."""

    bind_host = "127.0.0.1"

    def __init__(self, script):
        self.script = script

    def command(self, folder, java, ports):
        return [sys.executable, "-c", "" if "format" in java else self.script]

    def send(self, process, number):
        process.send_signal(number)

    def end_command(self, process):
        return f"kill -9 {process.pid}"


def test_a_broker_that_ends_at_once_is_told_with_the_end_of_its_log(tmp_path):
    script = "for n in range(50): print('line', n, flush=True)\nraise SystemExit('the reason')"
    node = KafkaNode(tmp_path / "node", engine=Script(script))

    with pytest.raises(KafkaStartError, match=r"(?s)ended with code 1;.*the reason") as met:
        node.start()

    assert "line 49" in str(met.value)
    assert "line 5\n" not in str(met.value)
    assert not node.running


def test_a_folder_can_be_used_again_after_a_failed_start(tmp_path):
    node = KafkaNode(tmp_path / "node", engine=Script("raise SystemExit(1)"))

    for _ in range(2):
        with pytest.raises(KafkaStartError):
            node.start()


def test_a_folder_that_another_process_uses_is_refused(tmp_path):
    code = (
        "import sys; from pathlib import Path; from deploy.local.kafka.guard import lock_folder;"
        f"lock_folder(Path({str(tmp_path)!r})); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        other.stdout.readline()

        with pytest.raises(FolderInUseError):
            KafkaNode(tmp_path, engine=Script("")).start()
        other.stdin.close()


def test_a_taken_port_stops_the_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port}"):
            KafkaNode(tmp_path, port=port, engine=Script("")).start()


def test_free_ports_are_free_and_different():
    ports = free_ports(5)

    assert len(set(ports)) == 5
    assert all(is_free(port) for port in ports)


def test_properties_with_passwords_are_only_for_their_owner(tmp_path):
    node = KafkaNode(tmp_path, engine=Script("raise SystemExit(1)"))

    with pytest.raises(KafkaStartError):
        node.start()

    assert (tmp_path / "server.properties").stat().st_mode & 0o077 == 0
    assert os.getuid() == (tmp_path / "server.properties").stat().st_uid
