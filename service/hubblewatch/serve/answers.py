"""What each path answers: from path, query and headers to a response, without sockets."""

from __future__ import annotations

import gzip
import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import msgspec
from prometheus_client.exposition import choose_encoder

from hubblewatch.serve.board import DEFAULT_LIMIT, LARGEST_LIMIT, AlertBoard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from hubblewatch.serve.health import Health

log = logging.getLogger(__name__)

OPENMETRICS = "application/openmetrics-text"
JSON = "application/json"

QUERY_FIELDS = 16
GZIP_FROM_BYTES = 1_024
GZIP_LEVEL = 3
"""Most of the gain of the default level for a quarter of its time: label text repeats a lot."""

FILTERS = ("detector", "severity", "namespace", "status", "limit")
STATUSES = ("firing", "resolved", "all")

INDEX = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>hubblewatch</title></head>
<body><h1>hubblewatch</h1>
<ul>
<li><a href="/api/alerts">/api/alerts</a>: active alerts as JSON; filters detector, severity,
namespace, status (firing, resolved, all), limit</li>
<li><a href="/metrics">/metrics</a>: Prometheus metrics</li>
<li><a href="/healthz">/healthz</a>: red when there is lag and no progress</li>
<li><a href="/readyz">/readyz</a>: red until the work has begun</li>
</ul></body></html>
"""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response, but for the headers that all of them get."""

    status: HTTPStatus
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: HTTPStatus, message: str, **headers: str) -> Response:
    """A response that says what was wrong, as ``{"error": …}``."""
    return Response(status, msgspec.json.encode({"error": message}), headers=headers)


class Answers:
    """The service's paths. Every method may be called from several threads at once."""

    def __init__(self, registry: CollectorRegistry, health: Health, board: AlertBoard) -> None:
        self._registry = registry
        self._health = health
        self._board = board

    def get(self, target: str, headers: Mapping[str, str]) -> Response:
        """Answer a GET of ``target`` (path and query); ``headers`` by lower-case name."""
        path, _, query = target.partition("?")
        try:
            return self._answer(path, query, headers)
        except Exception:
            # The last fence of a request: what failed is in the log, and the client gets a reply.
            log.exception("answering %s failed", path)
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the answer failed; see the log")

    def _answer(self, path: str, query: str, headers: Mapping[str, str]) -> Response:
        match path:
            case "/":
                return Response(HTTPStatus.OK, INDEX, "text/html; charset=utf-8")
            case "/metrics":
                return self._metrics(headers)
            case "/healthz":
                return self._healthz()
            case "/readyz":
                return self._readyz()
            case "/api/alerts":
                return self._alerts(query, headers)
            case _:
                return problem(HTTPStatus.NOT_FOUND, "no such path; / lists them")

    def _metrics(self, headers: Mapping[str, str]) -> Response:
        # Only the kind is taken from the client's header, which is echoed in the content type.
        accept = headers.get("accept", "").lower()
        encode, content_type = choose_encoder(OPENMETRICS if OPENMETRICS in accept else "")
        return compressed(encode(self._registry), content_type, headers)

    def _healthz(self) -> Response:
        report = self._health.report()
        status = HTTPStatus.OK if report["healthy"] else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(status, msgspec.json.encode(report))

    def _readyz(self) -> Response:
        ready = self._health.ready
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(status, msgspec.json.encode({"ready": ready}))

    def _alerts(self, query: str, headers: Mapping[str, str]) -> Response:
        try:
            asked = {
                name: values[-1]
                for name, values in parse_qs(query, max_num_fields=QUERY_FIELDS).items()
            }
        except ValueError:
            return problem(HTTPStatus.BAD_REQUEST, "too many query fields")
        for name in asked:
            if name not in FILTERS:
                return problem(HTTPStatus.BAD_REQUEST, f"filters are {', '.join(FILTERS)}")
        status = asked.get("status", "firing")
        if status not in STATUSES:
            return problem(HTTPStatus.BAD_REQUEST, f"status is one of {', '.join(STATUSES)}")
        limit = asked.get("limit", str(DEFAULT_LIMIT))
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 9):
            return problem(HTTPStatus.BAD_REQUEST, f"limit is a number up to {LARGEST_LIMIT}")
        page = self._board.page(
            status=status,
            detector=asked.get("detector", ""),
            severity=asked.get("severity", ""),
            namespace=asked.get("namespace", ""),
            limit=min(int(limit), LARGEST_LIMIT),
        )
        return compressed(msgspec.json.encode(page), JSON, headers)


def compressed(body: bytes, content_type: str, headers: Mapping[str, str]) -> Response:
    """A 200 with ``body``, gzipped where it is worth it and the client takes it."""
    vary = {"Vary": "Accept, Accept-Encoding"}
    if len(body) < GZIP_FROM_BYTES or not takes_gzip(headers.get("accept-encoding", "")):
        return Response(HTTPStatus.OK, body, content_type, vary)
    return Response(
        HTTPStatus.OK,
        gzip.compress(body, GZIP_LEVEL, mtime=0),
        content_type,
        {**vary, "Content-Encoding": "gzip"},
    )


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header names gzip and does not weigh it zero."""
    for choice in accept_encoding.lower().split(","):
        coding, _, weight = choice.replace(" ", "").partition(";")
        if coding == "gzip":
            return weight.removeprefix("q=").strip("0.") != "" or not weight
    return False
