"""One HTTP request on one connection: bounded in bytes and time, GET and HEAD only."""

from __future__ import annotations

import http.client
import io
import logging
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, BinaryIO

from hubblewatch.serve.answers import Answers, Response, problem

log = logging.getLogger(__name__)

REQUEST_LINE_BYTES = 4_096
HEAD_BYTES = 16_384
"""Request line and headers together."""

READ_SECONDS = 5.0
"""Longest wait for the next bytes; the connection as a whole is bounded by the server."""

DRAINED_BYTES = 65_536

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class _Head(io.BufferedIOBase):
    """Reads lines up to ``HEAD_BYTES`` in all, beyond which the head is too long."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = HEAD_BYTES

    def readline(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = HEAD_BYTES
        line = self._stream.readline(min(size, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise http.client.LineTooLong("head")
        return line

    def close(self) -> None:
        self._stream.close()
        super().close()


class RequestReader(BaseHTTPRequestHandler):
    """Reads one request and writes its answer; every connection serves one request.

    No keep-alive: connections hold one of few threads, and Prometheus opens one a scrape.
    """

    timeout = READ_SECONDS
    protocol_version = "HTTP/1.0"
    # A request line of two words is taken for HTTP/1.0, so that its answer has a head as well.
    default_request_version = "HTTP/1.0"
    answers: Answers

    def setup(self) -> None:
        """Bound what is read of the head."""
        super().setup()
        self.rfile: Any = _Head(self.rfile)

    def handle(self) -> None:
        """Serve one request; a client that is slow or gone is its own loss."""
        try:
            self._serve()
            self.wfile.flush()
            self._drain()
        except OSError as broken:
            log.debug("connection from %s ended: %s", self.client_address[0], broken)

    def _serve(self) -> None:
        self.close_connection = True
        self.requestline, self.request_version, self.command = "", self.default_request_version, ""
        self.raw_requestline = self.rfile.readline(REQUEST_LINE_BYTES + 1)
        if len(self.raw_requestline) > REQUEST_LINE_BYTES:
            self._send(problem(HTTPStatus.REQUEST_URI_TOO_LONG, "the request line is too long"))
        elif self.raw_requestline and self.parse_request():
            if self.command in ("GET", "HEAD"):
                headers = {name.lower(): value for name, value in self.headers.items()}
                self._send(self.answers.get(self.path, headers))
            else:
                self._send(
                    problem(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD only", Allow="GET, HEAD")
                )

    def send_error(self, code: int, *_said: str | None, **_too: str | None) -> None:
        """What ``parse_request`` says of a request that is none, without repeating the request."""
        status = HTTPStatus(code)
        self._send(problem(status, status.phrase.lower()))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in {**HEADERS, **response.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def _drain(self) -> None:
        """Read a little of what the client still sends: closing on unread bytes resets the
        connection, and the client would lose the answer that tells what was wrong."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(0.5)
        left = DRAINED_BYTES
        while left > 0:
            read = len(self.connection.recv(min(left, 8_192)))
            if not read:
                return
            left -= read

    def version_string(self) -> str:
        """The Server header, without versions."""
        return "hubblewatch"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Requests are probes and scrapes, several a minute: for debugging only."""
        log.debug("%s %r", self.client_address[0], format % args)
