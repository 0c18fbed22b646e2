from __future__ import annotations

from typing import Any

import msgspec
from tests.builders import DROP, L7, VERDICT, flow, pod, world

from hubblewatch.doctor.glance import DeniedEdge, FlowGlance, Row, edge_of, glance
from hubblewatch.flow.schema import Flow, Line
from hubblewatch.flow.timestamp import parse_ns

CART, DB = pod("shop/cart-7d9f8c6b5-x2x7z"), pod("shop/db-0", workload="db")


def event(*parties: Any, **what: Any) -> Flow:
    found = msgspec.json.decode(flow(*parties, **what), type=Line).flow
    assert found is not None
    return found


def denial(kind: int, **what: Any) -> Flow:
    return event(
        CART, DB, kind=kind, verdict="DROPPED", drop_reason=133, ports=(41_000, 5_432), **what
    )


def test_a_verdict_and_the_drop_after_it_are_one_denial_with_its_policies() -> None:
    named = [{"name": "no-db", "namespace": "shop"}]
    seen = glance([denial(VERDICT, egress_denied_by=named), denial(DROP)])
    assert seen.denials == [DeniedEdge("shop/cart -> shop/db:5432/TCP", 1, ["shop/no-db"])]
    assert seen.verdicts == {"DROPPED": 2}


def test_where_verdicts_are_not_shown_drops_for_policy_are_denials() -> None:
    assert glance([denial(DROP), denial(DROP)]).denials == [
        DeniedEdge("shop/cart -> shop/db:5432/TCP", 2, [])
    ]


def test_a_drop_for_another_reason_is_no_denial() -> None:
    dropped = event(CART, DB, kind=DROP, verdict="DROPPED", drop_reason=158)
    assert glance([dropped]).denials == []


def test_a_failed_dns_answer_is_told_by_its_name() -> None:
    answer = {"type": "RESPONSE", "dns": {"query": "db.shop.", "rcode": 3}}
    worked = {"type": "RESPONSE", "dns": {"query": "cart.shop."}}
    seen = glance([event(CART, DB, kind=L7, l7=answer), event(CART, DB, kind=L7, l7=worked)])
    assert seen.dns_failures == [Row("db.shop. (rcode 3)", 1)]


def test_a_reset_counts_for_the_edge_that_was_opened() -> None:
    reset = event(DB, CART, flags="RST ACK", ports=(5_432, 41_000), is_reply=True)
    assert glance([reset]).resets == [Row("shop/cart -> shop/db:5432/TCP", 1)]


def test_a_party_outside_is_named_by_its_address() -> None:
    assert edge_of(event(CART, world("203.0.113.9"), ports=(41_000, 443))) == (
        "shop/cart -> 203.0.113.9:443/TCP"
    )


def test_flows_from_before_are_left_out() -> None:
    early, late = event(CART, DB, at=0.0), event(CART, DB, at=100.0)
    newest = glance([late])
    assert glance([early, late], since_ns=parse_ns(late.time)) == newest
    assert newest.flows == 1


def test_no_flows_are_no_error() -> None:
    assert glance([]) == FlowGlance(0, 0.0, {})
