"""What is taken out of lines, and what stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.builders import L7, Party, flow, heartbeat, node_status, pod, world
from tests.connections import tcp
from tests.proxying import dns
from tests.running import windows

from hubblewatch.flow.decode import decode_lines
from hubblewatch.flow.encode import encode_lines
from hubblewatch.flow.pseudonym import Pseudonyms
from hubblewatch.flow.redact import UNLISTED, Redaction
from hubblewatch.flow.reject import Reject
from hubblewatch.settings import RedactionSettings

DEFAULT = RedactionSettings().labels
NAMES = Pseudonyms(b"a key of sixteen bytes or more")
SECRET = "Bearer s3cr3t"


def refuse(reject: Reject) -> None:
    pytest.fail(str(reject))


def sent(redaction: Redaction, *lines: bytes) -> list[bytes]:
    """The lines as they go to Kafka."""
    decoded = decode_lines(lines, refuse)
    redaction.redact(decoded)
    return encode_lines(decoded).splitlines()


def only(redaction: Redaction, line: bytes) -> dict[str, Any]:
    (found,) = sent(redaction, line)
    content: dict[str, Any] = json.loads(found)
    return content


def labelled(*labels: str, identity: int = 4_711) -> bytes:
    """A flow from a party without a pod."""
    return flow(Party("10.0.0.9", identity, labels=labels), pod())


def labels_of(redaction: Redaction, line: bytes) -> list[str] | None:
    labels: list[str] | None = only(redaction, line)["flow"]["source"].get("labels")
    return labels


def test_headers_and_urls_do_not_go_to_kafka() -> None:
    http = {
        "method": "GET",
        "protocol": "HTTP/1.1",
        "url": "https://ann:pa55@db/pay?card=4111#top",
        "headers": [{"key": "Authorization", "value": SECRET}, {"key": "Cookie", "value": "id=7"}],
    }
    line = flow(
        kind=L7,
        l7={"type": "REQUEST", "http": http},
        Summary=f"GET {http['url']}",
        policy_log=[SECRET],
        node_labels=["owner=ann"],
        source_names=["ann.example.com"],
    )
    (found,) = sent(Redaction(DEFAULT), line)
    for word in (b"Bearer", b"Cookie", b"4111", b"pa55", b"pay", b"top", b"ann"):
        assert word not in found
    assert json.loads(found)["flow"]["l7"] == {"type": "REQUEST", "http": {"method": "GET"}}


def test_labels_that_are_not_on_the_list_are_dropped() -> None:
    line = labelled(
        "k8s:app=cart",
        "k8s:owner=ann",
        "k8s:io.kubernetes.pod.namespace=shop",
        "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=shop",
        "k8s:io.cilium.k8s.namespace.labels.cost-centre=4711",
        "fqdn:*.mybank.com",
    )
    assert labels_of(Redaction(DEFAULT), line) == [
        "k8s:app=cart",
        "k8s:io.kubernetes.pod.namespace=shop",
        "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=shop",
    ]


def test_a_pattern_is_for_names_or_with_an_equals_sign_for_the_whole_label() -> None:
    line = labelled("k8s:app=cart", "k8s:app=vault", "k8s:tier=db", "k8s:team.a=x", "k8s:teamXa=x")
    assert labels_of(Redaction(["k8s:app=c*", "k8s:team.*"]), line) == [
        "k8s:app=cart",
        "k8s:team.a=x",
    ]


def test_a_party_whose_labels_are_all_dropped_is_still_one_with_labels() -> None:
    line = labelled("k8s:owner=ann", identity=0)
    assert labels_of(Redaction([]), line) == [UNLISTED]


@pytest.mark.parametrize(
    "labels", [("reserved:world",), ("reserved:kube-apiserver", "cidr:1.2.3.4/32")]
)
def test_reserved_labels_need_no_list(labels: tuple[str, ...]) -> None:
    assert labels_of(Redaction([]), labelled(*labels)) == [labels[0]]


def test_labels_of_an_unknown_shape_are_dropped() -> None:
    line = flow(Party("10.0.0.9", 4_711), pod()).replace(
        b'"identity":4711', b'"identity":4711,"labels":{"owner":"ann"}'
    )
    assert b"ann" in line
    assert labels_of(Redaction(DEFAULT), line) is None


def test_names_stay_unless_they_are_to_be_hashed() -> None:
    lines = [*dns(name="db.mybank.com."), flow(pod(), world(), destination_names=["db.mybank.com"])]
    assert sum(b"mybank" in line for line in sent(Redaction(DEFAULT), *lines)) == sum(
        b"mybank" in line for line in lines
    )
    hashed = sent(Redaction(DEFAULT, NAMES), *lines)
    assert not [line for line in hashed if b"mybank" in line]
    assert json.loads(hashed[-1])["flow"]["destination_names"] == [NAMES.of("db.mybank.com")]


def test_of_several_names_the_one_that_counts_is_kept() -> None:
    line = flow(pod(), world(), destination_names=["z.mybank.com", "b.mybank.com"])
    assert only(Redaction(DEFAULT, NAMES), line)["flow"]["destination_names"] == [
        NAMES.of("b.mybank.com")
    ]


def test_the_search_suffix_of_the_askers_namespace_stays_readable() -> None:
    line = next(line for line in dns(name="db.shop.svc.cluster.local.") if b"l7" in line)
    query = only(Redaction(DEFAULT, NAMES), line)["flow"]["l7"]["dns"]["query"]
    assert query.endswith(".shop.svc.cluster.local.")
    assert not query.startswith("db.")


def test_what_relay_says_in_words_goes() -> None:
    line = node_status(1, "NODE_ERROR", "node-b").replace(
        b'"node_status":{', b'"node_status":{"message":"dial 10.1.2.3: secret",'
    )
    status = only(Redaction(DEFAULT), line)["node_status"]
    assert "message" not in status
    assert status["node_names"] == ["node-b"]


def test_control_lines_and_whole_connections_pass_unchanged() -> None:
    lines = [*tcp(), *tcp(pod(), world(), at=3), heartbeat(1, 5)]
    assert (
        sent(Redaction(DEFAULT), *lines) == encode_lines(decode_lines(lines, refuse)).splitlines()
    )


def test_hashed_names_count_as_many() -> None:
    lines = [line for n in range(20) for line in dns(name=f"h{n % 7}.example.com.", at=n)]
    lines += tcp(pod(), world(), at=30, port=443)
    plain, hashed = (
        windows(sent(redaction, *lines)) for redaction in (Redaction([]), Redaction([], NAMES))
    )
    assert plain == hashed
    assert max(window.dns_names for window in plain) == 7


def test_a_refused_line_keeps_its_shape_or_its_text() -> None:
    line = b'{"flow":{"l7":"' + SECRET.encode()
    assert Redaction([]).excerpt(line) == b'{"flow":{"l7":"x x'
    assert Redaction([], keeps_text=True).excerpt(line) == line


def test_a_record_keeps_of_its_lines_what_is_counted() -> None:
    http = {"headers": [{"key": "Authorization", "value": SECRET}], "code": 200}
    record = b"\n".join([flow(kind=L7, l7={"type": "RESPONSE", "http": http}), b"no json", *tcp()])
    kept = Redaction(DEFAULT).record(record)
    assert SECRET.encode() not in kept
    assert len(kept.splitlines()) == 1 + len(tcp())
    assert Redaction(DEFAULT, keeps_text=True).record(record) == record
