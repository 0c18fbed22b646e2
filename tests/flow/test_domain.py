"""Which failed look-ups are steps of a search list."""

from __future__ import annotations

import pytest

from hubblewatch.flow.domain import is_on_search_list, plain_name

ANSWERED = {"api.example.com", "ledger.bank.svc.cluster.local", "db.shop.svc.cluster.local"}


@pytest.mark.parametrize(
    "failed",
    [
        "api.example.com.shop.svc.cluster.local.",
        "api.example.com.svc.cluster.local.",
        "API.Example.com.cluster.local.",
        "api.example.com.eu-west-1.compute.internal.",
        "ledger.bank.shop.svc.cluster.local.",
        "ledger.bank.svc.cluster.local.shop.svc.cluster.local.",
    ],
)
def test_what_leads_to_an_answer_is_a_step(failed: str) -> None:
    assert is_on_search_list(plain_name(failed), ANSWERED)


@pytest.mark.parametrize(
    "failed",
    [
        "vault.bank.svc.cluster.local",
        "ledger.shop.svc.cluster.local",
        "db.bank.svc.cluster.local",
        "xkqzwv.com",
        "xkqzwv.com.shop.svc.cluster.local",
        "example.com",
        "a1.api.example.com",
        "api.example.org",
        "api",
        "",
        "api.example.com" + ".x" * 100,
    ],
)
def test_what_leads_nowhere_is_none(failed: str) -> None:
    assert not is_on_search_list(failed, ANSWERED)
