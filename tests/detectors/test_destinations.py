from __future__ import annotations

import pytest

from hubblewatch.detectors.destinations import (
    group_of,
    is_metadata,
    is_outside,
    registered_domain,
    split_edge,
)
from hubblewatch.window.closed import EdgeKey


@pytest.mark.parametrize(
    "edge",
    [
        EdgeKey("shop", "cart", 8_080, "tcp"),
        EdgeKey("", "api.example.com", 443, "tcp"),
        EdgeKey("", "2001:db8::1", 443, "udp"),
        EdgeKey("", "kube-apiserver", 6_443, "tcp"),
    ],
)
def test_an_edge_can_be_read_from_its_text(edge: EdgeKey) -> None:
    assert split_edge(str(edge)) == edge


@pytest.mark.parametrize(
    ("workload", "namespace", "outside"),
    [
        ("api.example.com", "", True),
        ("198.51.100.7", "", True),
        ("2001:db8::1", "", True),
        ("node", "", False),
        ("kube-apiserver", "", False),
        ("unknown", "", False),
        ("release-1.2", "shop", False),
        ("169.254.169.254", "", False),
        ("169.254.20.10", "", False),
    ],
)
def test_names_and_addresses_without_a_namespace_are_outside(
    workload: str, namespace: str, outside: bool
) -> None:
    assert is_outside(EdgeKey(namespace, workload, 443, "tcp")) is outside


def test_the_metadata_service_is_known_by_its_address_and_by_its_name() -> None:
    assert is_metadata(EdgeKey("", "169.254.169.254", 80, "tcp"))
    assert is_metadata(EdgeKey("", "metadata.google.internal", 80, "tcp"))
    assert not is_metadata(EdgeKey("", "198.51.100.7", 80, "tcp"))


@pytest.mark.parametrize(
    ("destination", "group"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:7:1::1", "2001:0db8:0007::/48"),
        ("64:ff9b::808:808", "8.8.8.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("a.b.example.com", "example.com"),
        ("Example.COM.", "example.com"),
        ("www.example.co.uk", "example.co.uk"),
        ("bucket.s3.eu-west-1.amazonaws.com", "amazonaws.com"),
        ("localhost", "localhost"),
    ],
)
def test_neighbouring_addresses_and_names_of_one_domain_are_one_destination(
    destination: str, group: str
) -> None:
    assert group_of(destination) == group


def test_a_short_name_under_a_country_is_whole() -> None:
    assert registered_domain("www.example.de") == "example.de"
    assert registered_domain("com.de") == "com.de"
