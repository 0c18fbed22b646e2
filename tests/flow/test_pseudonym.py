"""Pseudonyms of DNS names keep what detectors go by."""

from __future__ import annotations

import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubblewatch.detectors.destinations import group_of, is_outside
from hubblewatch.flow.domain import registered_domain
from hubblewatch.flow.pseudonym import DOMAIN_LENGTH, Pseudonyms
from hubblewatch.window.closed import EdgeKey

KEY = b"a key of sixteen bytes or more"
NAMES = Pseudonyms(KEY, clear=("metadata.google.internal",))

labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)
ends = st.sampled_from(["com", "co.uk", "de", "example.com", "shop.example", "arpa", "cc"])
names = st.tuples(st.lists(labels, min_size=1, max_size=5), ends).map(
    lambda parts: ".".join([*parts[0], parts[1]])
)


def inner(name: str) -> str:
    return name[: -len(registered_domain(name)) - 1]


@given(names)
def test_as_many_labels_as_long_below_the_domain(name: str) -> None:
    made = NAMES.of(name)
    assert list(map(len, inner(made).split("."))) == list(map(len, inner(name).split(".")))
    assert made.count(".") == name.count(".")


@given(names, names)
def test_names_share_a_domain_as_before(one: str, other: str) -> None:
    pairs = (one, other), (one, f"x.{one}"), (f"a.{one}", f"b.{one}")
    for first, second in pairs:
        together = registered_domain(first) == registered_domain(second)
        made = registered_domain(NAMES.of(first)), registered_domain(NAMES.of(second))
        assert (made[0] == made[1]) is together


@given(names)
def test_a_destination_stays_one_that_lies_outside(name: str) -> None:
    made = NAMES.of(name)
    assert is_outside(EdgeKey("", made, 443, "TCP"))
    assert group_of(made) == registered_domain(made)


def test_nothing_of_the_name_is_left_but_what_is_nobodys() -> None:
    made = NAMES.of("card-4111.pay.mybank.co.uk.")
    assert made.endswith(".co.uk.")
    assert not {"card-4111", "pay", "mybank"} & set(made.split("."))
    assert len(made.split(".")[2]) == DOMAIN_LENGTH
    assert NAMES.of("intranet").isalpha()
    assert NAMES.of("intranet") != "intranet"


@pytest.mark.parametrize("same", ["API.Example.com", "api.example.com.", "api.EXAMPLE.com"])
def test_case_and_the_last_dot_make_no_other_name(same: str) -> None:
    assert NAMES.of(same).rstrip(".") == NAMES.of("api.example.com")


def test_a_key_gives_the_same_names_after_a_restart_and_no_other_key_does() -> None:
    name = "api.example.com"
    assert Pseudonyms(KEY).of(name) == NAMES.of(name) == "ibe.ifojmfgjkomk.com"
    assert Pseudonyms(KEY + b"!").of(name) != NAMES.of(name)


def test_a_name_is_not_its_plain_hash() -> None:
    plain = hashlib.blake2b(b"example.com", digest_size=32).hexdigest()
    letters = plain.translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))
    assert not letters.startswith(NAMES.of("example.com").partition(".")[0])


@pytest.mark.parametrize(
    "name", ["metadata.google.internal.", "x.metadata.google.internal", "", "."]
)
def test_clear_names_stay(name: str) -> None:
    assert NAMES.of(name) == name


@pytest.mark.parametrize(
    ("name", "namespaces", "end"),
    [
        ("db.shop.svc.cluster.local.", ("shop",), ".shop.svc.cluster.local."),
        ("api.bank.com.shop.svc.cluster.local.", ("", "shop"), ".com.shop.svc.cluster.local."),
        ("secret.svc.cluster.local.", ("shop",), ".svc.cluster.local."),
        ("api.bank.com.cluster.local.", ("shop",), ".com.cluster.local."),
    ],
)
def test_suffixes_of_the_search_list_stay_and_what_is_before_does_not(
    name: str, namespaces: tuple[str, ...], end: str
) -> None:
    made = NAMES.of(name, namespaces)
    assert made.endswith(end)
    assert made.removesuffix(end) != name.removesuffix(end)
    assert not {"db", "api", "bank", "secret"} & set(made.split("."))


def test_a_name_and_its_search_through_the_list_stay_the_same_name() -> None:
    name = "api.bank.com"
    assert NAMES.of(f"{name}.shop.svc.cluster.local", ("shop",)).startswith(NAMES.of(name) + ".")


def test_what_is_too_long_for_a_name_costs_no_more_than_its_length() -> None:
    names = Pseudonyms(KEY)
    long = "a." * 30_000 + "example.com"
    begin = time.process_time()
    pseudonym = names.of(long)
    assert time.process_time() - begin < 5
    assert pseudonym == names.of(long.upper() + ".")
    assert pseudonym != names.of("b." + long)
    assert "a.a." not in pseudonym
    assert "example" not in pseudonym


def test_a_label_longer_than_a_digest_keeps_its_length() -> None:
    assert len(inner(NAMES.of("a" * 200 + ".example.com"))) == 200
