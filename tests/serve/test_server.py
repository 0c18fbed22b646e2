"""The server over real sockets: good requests, bad ones, slow ones, start and stop."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from tests.serve.building import Service, exchange, status_of

from hubblewatch.errors import ConfigurationError, HubblewatchError
from hubblewatch.serve import Server, request, server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def port() -> Iterator[int]:
    with Server(Service().answers, "127.0.0.1", 0) as running:
        yield running.port


def is_cut_off(connection: socket.socket) -> bool:
    """Whether the server has ended the connection, accepted or still waiting to be."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_client_gets_its_answer(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        assert response.status == 200
        assert b"hubblewatch_build_info" in response.read()


def test_every_response_forbids_sniffing_framing_and_caching(port: int) -> None:
    for target in (b"/", b"/nowhere"):
        head = exchange(port, b"GET " + target + b" HTTP/1.1\r\n\r\n").split(b"\r\n\r\n")[0]
        assert b"X-Content-Type-Options: nosniff" in head
        assert b"frame-ancestors 'none'" in head
        assert b"Cache-Control: no-store" in head
        assert b"Server: hubblewatch\r\n" in head
        assert b"Python" not in head


def test_head_answers_without_a_body(port: int) -> None:
    head, _, rest = exchange(port, b"HEAD /healthz HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert status_of(head) == 200
    assert b"Content-Length: " in head
    assert rest == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "X" * 50])
def test_other_methods_are_not_allowed(port: int, method: str) -> None:
    response = exchange(port, f"{method} / HTTP/1.1\r\n\r\n".encode())
    assert status_of(response) == 405
    assert b"Allow: GET, HEAD" in response


def test_a_post_whose_body_comes_after_the_answer_gets_the_answer_and_not_a_reset(
    port: int,
) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 30000\r\n\r\n")
        for _ in range(3):
            time.sleep(0.1)
            client.sendall(b"x" * 10_000)
        assert status_of(client.recv(4_096)) == 405


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/banana\r\n\r\n",
        b"GET / HTTP/1.1 extra\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\x00\xff\xfe /\r\n\r\n",
    ],
)
def test_a_bad_request_line_is_a_400_that_does_not_repeat_it(port: int, line: bytes) -> None:
    response = exchange(port, line)
    assert status_of(response) == 400
    assert line.strip() not in response


def test_an_unknown_protocol_version_is_refused(port: int) -> None:
    assert status_of(exchange(port, b"GET / HTTP/9.0\r\n\r\n")) == 505


def test_a_request_line_beyond_its_bound_is_a_414(port: int) -> None:
    assert status_of(exchange(port, b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\n\r\n")) == 414


@pytest.mark.parametrize(
    "headers",
    [
        b"X-Big: " + b"a" * 20_000 + b"\r\n",
        b"".join(b"X-%d: %s\r\n" % (n, b"a" * 300) for n in range(90)),
    ],
    ids=["one huge header", "many large headers"],
)
def test_headers_beyond_their_bound_are_a_431(port: int, headers: bytes) -> None:
    assert status_of(exchange(port, b"GET / HTTP/1.1\r\n" + headers + b"\r\n")) == 431


def test_too_many_small_headers_are_a_431(port: int) -> None:
    headers = b"".join(b"X-%d: 1\r\n" % n for n in range(150))
    assert status_of(exchange(port, b"GET / HTTP/1.1\r\n" + headers + b"\r\n")) == 431


def test_a_client_that_sends_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request.RequestReader, "timeout", 0.2)
    with Server(Service().answers, "127.0.0.1", 0) as running:
        assert exchange(running.port, b"GET / HT") == b""


def test_a_client_that_dribbles_is_cut_off_by_the_connections_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "CONNECTION_SECONDS", 0.5)
    with (
        Server(Service().answers, "127.0.0.1", 0) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=10) as client,
    ):
        client.settimeout(0.1)
        began = time.monotonic()
        ended = False
        while not ended and time.monotonic() - began < 8:
            try:
                client.sendall(b"a")
                ended = client.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended


def test_connections_beyond_the_bound_are_closed_and_the_others_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 2)
    with Server(Service().answers, "127.0.0.1", 0) as running:
        address = ("127.0.0.1", running.port)
        held = [socket.create_connection(address, timeout=5) for _ in range(2)]
        with socket.create_connection(address, timeout=5) as third:
            assert is_cut_off(third)
        assert running.refused == 1
        held[0].sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert status_of(held[0].recv(4_096)) == 200
        for connection in held:
            connection.close()


def test_many_clients_at_once_are_answered_while_metrics_change() -> None:
    service = Service()
    done = threading.Event()
    answers: list[int] = []

    def ask(port: int) -> None:
        for _ in range(5):
            answers.append(status_of(exchange(port, b"GET /metrics HTTP/1.1\r\n\r\n")))  # noqa: PERF401

    def update() -> None:
        number = 0
        while not done.is_set():
            service.metrics.observe_scores([(f"ns-{number % 3_000}", "cart", 0.5)])
            number += 1

    with Server(service.answers, "127.0.0.1", 0) as running:
        threads = [threading.Thread(target=ask, args=(running.port,)) for _ in range(4)]
        updating = threading.Thread(target=update)
        for thread in (updating, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        updating.join()
    assert answers == [200] * 20


def test_a_port_in_use_is_said_clearly() -> None:
    with (
        Server(Service().answers, "127.0.0.1", 0) as running,
        pytest.raises(HubblewatchError, match=f"127.0.0.1:{running.port}: the port is in use"),
    ):
        Server(Service().answers, "127.0.0.1", running.port)


@pytest.mark.parametrize(("host", "number"), [("203.0.113.1", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_cannot_be_is_a_configuration_error(host: str, number: int) -> None:
    with pytest.raises(ConfigurationError, match="cannot serve HTTP"):
        Server(Service().answers, host, number)


def test_an_address_of_another_machine_is_refused_in_words_with_the_remedy() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Server(Service().answers, "192.0.2.1", 0)
    assert str(refused.value) == (
        "cannot serve HTTP on 192.0.2.1:0: Cannot assign requested address; take a name or address "
        "of this machine (serve.host)"
    )


def test_after_stop_the_port_is_free_again() -> None:
    first = Server(Service().answers, "127.0.0.1", 0)
    first.start()
    status_of(exchange(first.port, b"GET / HTTP/1.1\r\n\r\n"))
    first.stop()
    with Server(Service().answers, "127.0.0.1", first.port) as second:
        assert status_of(exchange(second.port, b"GET / HTTP/1.1\r\n\r\n")) == 200


def test_stop_without_start_frees_the_port() -> None:
    never = Server(Service().answers, "127.0.0.1", 0)
    never.stop()
    with Server(Service().answers, "127.0.0.1", never.port):
        pass


def test_stop_lets_a_request_in_flight_end() -> None:
    service = Service()
    began, go_on = threading.Event(), threading.Event()

    def slow() -> float:
        began.set()
        go_on.wait(5)
        return 0.0

    service.health.measure_lag("slow", slow)
    running = Server(service.answers, "127.0.0.1", 0)
    running.start()
    answers: list[bytes] = []
    client = threading.Thread(
        target=lambda: answers.append(exchange(running.port, b"GET /healthz HTTP/1.1\r\n\r\n"))
    )
    client.start()
    assert began.wait(5)
    threading.Timer(0.3, go_on.set).start()
    running.stop()
    client.join(5)
    assert status_of(answers[0]) == 200


def test_stop_does_not_wait_for_a_client_that_never_speaks() -> None:
    running = Server(Service().answers, "127.0.0.1", 0)
    running.start()
    with socket.create_connection(("127.0.0.1", running.port), timeout=5) as silent:
        began = time.monotonic()
        running.stop(seconds=0.2)
        assert time.monotonic() - began < 4
        assert is_cut_off(silent)


def test_it_serves_on_ipv6_too() -> None:
    try:
        running = Server(Service().answers, "::1", 0)
    except HubblewatchError:
        pytest.skip("this machine has no IPv6 loopback")
    with running, urllib.request.urlopen(f"http://[::1]:{running.port}/", timeout=5) as response:
        assert response.status == 200
