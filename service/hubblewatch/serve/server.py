"""The HTTP server beside the work: a thread that listens, and a few that answer."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import HTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from hubblewatch.errors import ConfigurationError, HubblewatchError
from hubblewatch.serve.request import RequestReader

if TYPE_CHECKING:
    from hubblewatch.serve.answers import Answers

log = logging.getLogger(__name__)

CONNECTIONS = 16
"""Requests answered at a time; one more is closed unread rather than queued without bound."""

CONNECTION_SECONDS = 20.0
"""Longest life of a connection, so that a client that dribbles bytes cannot keep a thread."""

POLL_SECONDS = 0.25


class _Listener(HTTPServer):
    """Accepts connections, each on a thread of its own, within bounds of number and time."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, host: str, port: int, reader: type[RequestReader]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.refused = 0
        self._live: dict[socket.socket, float] = {}
        self._changed = threading.Condition()
        super().__init__((host, port), reader)

    def server_bind(self) -> None:
        """Bind, without HTTPServer's look-up of the host's full name, which may take a minute."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for the connection, or refuse it when there are enough."""
        with self._changed:
            full = len(self._live) >= CONNECTIONS
            if not full:
                self._live[request] = time.monotonic() + CONNECTION_SECONDS
        if full:
            self.refused += 1
            self.shutdown_request(request)
            return
        thread = threading.Thread(
            target=self._answer, args=(request, client_address), name="http-answer", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread left; the caller closes the connection
            self._done(request)
            raise

    def _answer(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            log.exception("a request from %s failed", client_address[0])
        finally:
            # Off the list before it is closed: a closed descriptor may already be another's.
            self._done(request)
            self.shutdown_request(request)

    def _done(self, request: socket.socket) -> None:
        with self._changed:
            self._live.pop(request, None)
            self._changed.notify_all()

    def service_actions(self) -> None:
        """Between polls: end the connections whose time is up."""
        self.end_connections(time.monotonic())

    def end_connections(self, due: float) -> None:
        """Cut the connections that were to end by ``due``; their threads see it and stop."""
        with self._changed:
            for request, deadline in self._live.items():
                if deadline <= due:
                    with suppress(OSError):  # the client was first
                        request.shutdown(socket.SHUT_RDWR)

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no request is being answered; whether that came to pass."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._live, seconds)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log why a connection could not be given a thread; the server goes on."""
        log.warning("refused %s: %s", client_address[0], sys.exception())


class Server:
    """Serves ``answers`` on ``host`` and ``port`` (0 for any free one) from ``start`` to ``stop``.

    Raises ``ConfigurationError`` for a host that is none of this machine's, ``HubblewatchError``
    when the port is taken or may not be used.
    """

    def __init__(self, answers: Answers, host: str, port: int) -> None:
        reader = type("Reader", (RequestReader,), {"answers": answers})
        try:
            self._listener = _Listener(host, port, reader)
        except (OSError, OverflowError) as refused:
            raise _refusal(host, port, refused) from refused
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(POLL_SECONDS,), name="http", daemon=True
        )

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._listener.server_address[1])

    @property
    def refused(self) -> int:
        """Connections closed unread because as many as allowed were being answered."""
        return self._listener.refused

    def start(self) -> None:
        """Begin to answer; returns at once."""
        self._thread.start()
        log.info("serving HTTP on port %d", self.port)

    def stop(self, seconds: float = 2.0) -> None:
        """Take no more connections, let those being answered end, for ``seconds`` at most."""
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join(seconds)
        self._listener.server_close()
        if not self._listener.wait_idle(seconds):
            self._listener.end_connections(float("inf"))
            self._listener.wait_idle(seconds)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _refusal(host: str, port: int, refused: Exception) -> HubblewatchError:
    place = f"{host}:{port}"
    if isinstance(refused, OSError) and refused.errno == errno.EADDRINUSE:
        return HubblewatchError(
            f"cannot serve HTTP on {place}: the port is in use; stop what uses it, or set another "
            "(serve.port)"
        )
    if isinstance(refused, OSError) and refused.errno in (errno.EACCES, errno.EPERM):
        return HubblewatchError(
            f"cannot serve HTTP on {place}: not permitted; ports below 1024 need a privilege"
        )
    # Where there is a number for it, Python's text begins with that.
    why = (refused.strerror if isinstance(refused, OSError) else None) or refused
    return ConfigurationError(
        f"cannot serve HTTP on {place}: {why}; take a name or address of this machine (serve.host)"
    )
