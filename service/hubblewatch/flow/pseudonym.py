"""DNS names under a key: unreadable, and still told apart, grouped and measured as before.

A name becomes another with as many labels. What detectors go by stays: how long each label below
the registered domain is, which names share a domain or any other end, and what is nobody's
(``com``, ``co.uk``, the cluster's own suffixes). What a label says is gone, and with it how much
information its characters hold. The registered label always gets the same length, since few
characters would make two domains one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from hubblewatch.flow.domain import plain_name, public_labels, registered_labels

MAX_NAMES = 50_000
"""Pseudonyms remembered; beyond, all are forgotten and made again."""

DOMAIN_LENGTH = 12
"""Letters of the registered label's pseudonym: 48 bits, so that a hundred thousand domains stay
different."""

MAX_NAME_LENGTH = 1_024
"""No name of DNS is longer, written with all its escapes. What is longer is taken for one label:
each label's pseudonym reads all that follows, and half a million of them would take hours."""

_DIGEST_BYTES = 32
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


class Pseudonyms:
    """The pseudonym of each name under ``key``, which any number of processes and starts may share.

    Names that are one of ``clear``, or below one, stay as they are.
    """

    def __init__(
        self, key: bytes, clear: Iterable[str] = (), cluster_domain: str = "cluster.local"
    ) -> None:
        self._key = blake2b(key, digest_size=_DIGEST_BYTES).digest()
        self._clear = tuple(name.strip(".").lower() for name in clear)
        self._below_clear = tuple(f".{name}" for name in self._clear)
        self._cluster = f".{cluster_domain.strip('.').lower()}"
        self._known: dict[tuple[str, tuple[str, ...]], str] = {}

    def of(self, name: str, namespaces: tuple[str, ...] = ()) -> str:
        """Give the pseudonym of a name; a last dot stays, upper and lower case are one.

        Resolvers try names with the suffixes of the pod's namespace: those of ``namespaces`` stay
        readable at their place before ``svc`` and the cluster's domain.
        """
        if len(name) > MAX_NAME_LENGTH:
            return self._letters([plain_name(name)], DOMAIN_LENGTH)
        key = (name, namespaces)
        pseudonym = self._known.get(key)
        if pseudonym is None:
            if len(self._known) >= MAX_NAMES:
                self._known.clear()
            pseudonym = self._known[key] = self._made(name, namespaces)
        return pseudonym

    def _made(self, name: str, namespaces: tuple[str, ...]) -> str:
        text = plain_name(name)
        if not text or text in self._clear or text.endswith(self._below_clear):
            return name
        suffix = self._search_suffix(text, namespaces)
        labels = text.removesuffix(suffix).split(".")
        public, registered = public_labels(labels), registered_labels(labels)
        made = labels[len(labels) - public :]
        for index in range(len(labels) - public - 1, -1, -1):
            is_registered = len(labels) - index <= registered
            length = DOMAIN_LENGTH if is_registered else len(labels[index])
            made.insert(0, self._letters(labels[index:], length))
        return ".".join(made) + suffix + name[len(name.rstrip(".")) :]

    def _search_suffix(self, text: str, namespaces: tuple[str, ...]) -> str:
        services = f".svc{self._cluster}"
        suffixes = [f".{namespace}{services}" for namespace in namespaces if namespace]
        return next((s for s in (*suffixes, services, self._cluster) if text.endswith(s)), "")

    def _letters(self, labels: Sequence[str], length: int) -> str:
        """Give a label's pseudonym: it depends on all that follows, as one label means another
        thing under each domain."""
        if not labels[0]:
            return ""
        named = ".".join(labels).encode("utf-8", "surrogatepass")
        digest = blake2b(named, key=self._key, digest_size=_DIGEST_BYTES).hexdigest()
        return (digest.translate(_LETTERS) * (length // len(digest) + 1))[:length]
