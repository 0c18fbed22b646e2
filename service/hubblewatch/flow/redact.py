"""What flows tell beyond what is counted: taken out before they are sent on or judged.

HTTP headers and URLs, annotations, summaries and every other member that the schema does not name
went with the decoding. What is left to decide on are labels, DNS names, and the text of lines that
could not be decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate

import msgspec

from hubblewatch.flow.decode import decode_envelope
from hubblewatch.flow.encode import encode_lines
from hubblewatch.flow.pseudonym import Pseudonyms
from hubblewatch.flow.schema import Endpoint, Flow, Line
from hubblewatch.flow.shape import shape_of

MAX_LABEL_LISTS = 20_000
"""Lists of labels remembered; beyond, all are forgotten and looked at again."""

UNLISTED = "hubblewatch:unlisted"
"""Stands for labels of which none is on the list: a party that has labels is not an unknown one."""

_RESERVED = "reserved:"
_NO_LABELS = Endpoint().labels
_decode_labels = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.Encoder().encode


class Redaction:
    """Reduces lines in place to what may be seen outside; made once for one stream.

    ``labels`` are patterns: of a label's name before ``=``, or, with ``=``, of all of it; Cilium's
    own ``reserved:`` labels are always kept. Without ``names`` DNS names stay readable;
    ``keeps_text`` keeps the text of refused lines.
    """

    def __init__(
        self,
        labels: Sequence[str],
        names: Pseudonyms | None = None,
        *,
        keeps_text: bool = False,
    ) -> None:
        self._by_name = _matching([pattern for pattern in labels if "=" not in pattern])
        self._by_all = _matching([pattern for pattern in labels if "=" in pattern])
        self._names = names
        self._keeps_text = keeps_text
        self._known: dict[bytes, msgspec.Raw] = {}

    def redact(self, lines: Iterable[Line]) -> None:
        """Take out of the lines what is not to be kept.

        Labels of pods are left to the encoding, which leaves them all out: a pod has a name.
        """
        names = self._names
        for line in lines:
            flow = line.flow
            if flow is None:
                if line.node_status is not None:
                    # Free text of Relay's, which nothing reads.
                    line.node_status.message = ""
                continue
            source = flow.source
            if source is not None and not source.pod_name:
                self._reduce_labels(source)
            destination = flow.destination
            if destination is not None and not destination.pod_name:
                self._reduce_labels(destination)
            if names is not None and (flow.destination_names or flow.l7 is not None):
                _rename(flow, names)

    def excerpt(self, refused: bytes) -> bytes:
        """Give what may be kept of a line that could not be decoded."""
        return refused if self._keeps_text else shape_of(refused)

    def record(self, record: bytes) -> bytes:
        """Give what may be kept of a record of the flow topic: of its lines, what is counted."""
        if self._keeps_text:
            return record
        kept = []
        for lines in decode_envelope(record, lambda _: None, "-"):
            self.redact(lines)
            kept.append(encode_lines(lines))
        return b"".join(kept)

    def _reduce_labels(self, endpoint: Endpoint) -> None:
        raw = bytes(endpoint.labels)
        if not raw:
            return
        reduced = self._known.get(raw)
        if reduced is None:
            if len(self._known) >= MAX_LABEL_LISTS:
                self._known.clear()
            reduced = self._known[raw] = self._listed(raw)
        endpoint.labels = reduced

    def _listed(self, raw: bytes) -> msgspec.Raw:
        try:
            labels = _decode_labels(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _NO_LABELS  # of an unknown shape: they name nobody
        if not labels:
            return _NO_LABELS
        kept = [label for label in labels if self._is_listed(label)]
        return msgspec.Raw(_encode(kept or [UNLISTED]))

    def _is_listed(self, label: str) -> bool:
        return (
            label.startswith(_RESERVED)
            or self._by_name.match(label.partition("=")[0]) is not None
            or self._by_all.match(label) is not None
        )


def _rename(flow: Flow, names: Pseudonyms) -> None:
    """Replace DNS names. Of several for one destination the one that counts is kept."""
    if flow.destination_names:
        flow.destination_names = [names.of(min(flow.destination_names))]
    dns = flow.l7.dns if flow.l7 is not None else None
    if dns is not None:
        namespaces = {end.namespace for end in (flow.source, flow.destination) if end is not None}
        dns.query = names.of(dns.query, tuple(sorted(namespaces)))


def _matching(patterns: Sequence[str]) -> re.Pattern[str]:
    """Give one expression for all patterns, in which ``*`` stands for anything."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")
