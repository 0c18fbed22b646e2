"""GET of a running service's pages, bounded in time and size."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from hubblewatch.errors import ConfigurationError, HubblewatchError

TIMEOUT_SECONDS = 5.0
MAX_BODY_BYTES = 32 << 20


class PageError(HubblewatchError):
    """A page cannot be had; the message says why and what to do."""


class ServicePages:
    """The pages of the service at ``url``, such as http://127.0.0.1:9464.

    Raises ConfigurationError when ``url`` is none.
    """

    def __init__(self, url: str) -> None:
        wrong = ConfigurationError(f"--url {url!r} is not http://host:port")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise wrong from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise wrong
        self.url = url.rstrip("/")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname, port
        self._base = parts.path.rstrip("/")

    def get(self, path: str) -> tuple[int, bytes]:
        """Give status and body of a page; raise PageError."""
        connection = self._kind(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", self._base + path, headers={"Accept": "*/*"})
            response = connection.getresponse()
            body = response.read(MAX_BODY_BYTES + 1)
        except (OSError, HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise PageError(
                f"{self.url}{path} cannot be read ({why}); check that the service runs and that "
                "serve.host lets it be reached from here"
            ) from None
        finally:
            connection.close()
        if len(body) > MAX_BODY_BYTES:
            raise PageError(f"{self.url}{path} is larger than {MAX_BODY_BYTES} bytes; is it ours?")
        return response.status, body
