from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from hubblewatch.doctor import namespace
from hubblewatch.doctor.examine import Report
from hubblewatch.doctor.glance import DeniedEdge, FlowGlance, Row
from hubblewatch.doctor.namespace import Incident, NamespaceLook, WindowLine, active
from hubblewatch.doctor.result import failed, passed
from hubblewatch.doctor.show import as_json, show
from hubblewatch.kafka.trouble import KafkaTroubleError, TroubleKind
from hubblewatch.settings import Settings

CHECKS = [passed("model", "fits"), failed("kafka.topics", "[/red] is missing", "make [it]")]


def printed(report: Report) -> str:
    out = io.StringIO()
    show(report, Console(file=out, width=100))
    return out.getvalue()


def test_the_table_shows_text_with_brackets_as_it_is() -> None:
    shown = printed(Report(CHECKS))
    assert "[/red] is missing" in shown
    assert "-> make [it]" in shown
    assert shown.splitlines()[-1] == "1 pass, 1 fail"


def test_a_namespace_is_shown_with_denials_incidents_and_notes() -> None:
    flows = FlowGlance(9, 60.0, {"DROPPED": 9}, [DeniedEdge("a -> b:1/TCP", 4, ["shop/p"])])
    incident = Incident("1", "new-edge", "warning", "shop", "cart", last_seen="T", summary="new")
    look = NamespaceLook("shop", flows, incidents=[incident], notes=["no windows: no Kafka"])
    shown = printed(Report(CHECKS, namespace=look))
    for text in (
        "9 flow events over 60 s: 9 DROPPED",
        "4  a -> b:1/TCP  by shop/p",
        "warning new-edge cart, last seen T: new",
        "no windows: no Kafka",
    ):
        assert text in shown


def test_names_from_the_cluster_do_not_command_the_terminal() -> None:
    evil = "x\x1b[2J\x9b31m\nnamespace y"
    flows = FlowGlance(
        9, 60.0, {"DROPPED": 9}, [DeniedEdge(evil, 4, [evil])], [Row(evil, 1)], [Row(evil, 1)]
    )
    incident = Incident("1", "new-edge", "warning", "shop", evil, last_seen="T", summary=evil)
    shown = printed(Report(CHECKS, namespace=NamespaceLook("shop", flows, incidents=[incident])))
    assert not {"\x1b", "\x9b"} & set(shown)
    assert "namespace y" in shown
    assert not [line for line in shown.splitlines() if line.startswith("namespace y")]


def test_an_incident_on_trial_is_shown_as_one() -> None:
    record = {"incident": "1", "detector": "isolation-forest", "severity": "warning"}
    record |= {"namespace": "shop", "workload": "cart", "status": "firing", "shadow": True}
    look = NamespaceLook("shop", None, incidents=active([json.dumps(record).encode()]))
    assert "warning isolation-forest cart (on trial)" in printed(Report(CHECKS, namespace=look))


def test_windows_are_shown_to_whom_alerts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    line = WindowLine("2026-03-02T08:00:00Z", "cart", "outbound", 9, 0, 0, 0, 0, 0, 1.0)

    async def windows(*_: object) -> list[WindowLine]:
        return [line]

    async def refused(*_: object) -> list[Incident]:
        raise KafkaTroubleError(
            TroubleKind.NOT_AUTHORIZED, "no right to read hubble.alerts", "grant"
        )

    monkeypatch.setattr(namespace, "_windows", windows)
    monkeypatch.setattr(namespace, "_incidents", refused)
    tools: Any = None
    look = namespace.look_at_namespace(
        "shop", Settings(), [passed(namespace.KAFKA, "answers")], None, tools
    )
    assert look.windows == [line]
    assert [note for note in look.notes if "right" in note] == [
        "no incidents: no right to read hubble.alerts; grant"
    ]
    assert not any("no windows" in note or "neither" in note for note in look.notes)


def test_json_holds_the_namespace_too() -> None:
    look = NamespaceLook("shop", FlowGlance(0, 0.0, {}))
    content = json.loads(as_json(Report(CHECKS, namespace=look)))
    assert content["counts"] == {"pass": 1, "fail": 1}
    assert content["namespace"]["flows"]["flows"] == 0


def test_an_incident_is_active_by_its_last_record() -> None:
    def record(incident: str, status: str, summary: str = "") -> bytes:
        return json.dumps({"incident": incident, "status": status, "summary": summary}).encode()

    found = active(
        [
            record("a", "firing"),
            record("b", "firing"),
            record("b", "resolved"),
            b"no record",
            record("a", "firing", "worse"),
            record("c", "firing"),
        ]
    )
    assert [(each.incident, each.summary) for each in found] == [("c", ""), ("a", "worse")]
