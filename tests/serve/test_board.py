"""The board of alerts: active by incident, the last resolved, both bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.serve.building import alert

from hubblewatch.serve import AlertBoard


def incidents(board: AlertBoard, **filters: Any) -> list[str]:
    return [msgspec.json.decode(raw)["incident"] for raw in board.page(**filters).alerts]


def test_active_alerts_come_newest_first() -> None:
    board = AlertBoard()
    for incident in ("a", "b", "c"):
        board.record(alert(incident))
    assert incidents(board) == ["c", "b", "a"]


def test_an_incident_that_worsens_comes_to_the_front_with_its_new_record() -> None:
    board = AlertBoard()
    for record in (alert("a"), alert("b"), alert("a", severity="critical")):
        board.record(record)
    assert incidents(board) == ["a", "b"]
    assert incidents(board, severity="critical") == ["a"]


def test_a_resolved_alert_moves_to_the_resolved_ones() -> None:
    board = AlertBoard()
    board.record(alert("a"))
    board.record(alert("a", status="resolved"))
    assert incidents(board) == []
    assert incidents(board, status="resolved") == ["a"]


def test_all_shows_active_before_resolved() -> None:
    board = AlertBoard()
    for record in (alert("a"), alert("b"), alert("b", status="resolved")):
        board.record(record)
    assert incidents(board, status="all") == ["a", "b"]


def test_filters_hold_together() -> None:
    board = AlertBoard()
    board.record(alert("a", detector="port-scan", namespace="shop"))
    board.record(alert("b", detector="port-scan", namespace="bank"))
    board.record(alert("c", detector="new-edge", namespace="bank"))
    assert incidents(board, detector="port-scan", namespace="bank") == ["b"]


def test_encoded_records_are_shown_byte_for_byte() -> None:
    board = AlertBoard()
    encoded = b'{"incident":"a","status":"firing","ratio":1.50,"later_field":[1]}'
    board.record(encoded)
    assert bytes(board.page().alerts[0]) == encoded


def test_a_record_changed_by_its_owner_afterwards_is_shown_as_it_was() -> None:
    board = AlertBoard()
    record = alert("a")
    board.record(record)
    record["incident"] = "changed"
    assert incidents(board) == ["a"]


def test_resolved_alerts_are_bounded() -> None:
    board = AlertBoard(resolved=3)
    for number in range(10):
        board.record(alert(str(number), status="resolved"))
    assert incidents(board, status="resolved") == ["9", "8", "7"]


def test_active_alerts_are_bounded_and_the_drop_is_counted() -> None:
    board = AlertBoard(active=2)
    for incident in ("a", "b", "c"):
        board.record(alert(incident))
    assert incidents(board) == ["c", "b"]
    assert board.page().dropped == 1


def test_a_page_is_limited_and_says_how_many_match() -> None:
    board = AlertBoard()
    for number in range(5):
        board.record(alert(str(number)))
    page = board.page(limit=2)
    assert (page.matching, len(page.alerts)) == (5, 2)


def test_a_revoked_partitions_alerts_leave_the_board() -> None:
    board = AlertBoard()
    board.record(alert("a"), stream="1")
    board.record(alert("b"), stream="2")
    board.forget("1")
    assert incidents(board) == ["b"]


@pytest.mark.parametrize("broken", [b"{", b"{}", b'{"incident":1,"status":"firing"}'])
def test_what_is_no_alert_record_is_refused(broken: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        AlertBoard().record(broken)
